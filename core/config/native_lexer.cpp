#include "core/config/native_lexer.h"

#include <algorithm>

#include "core/config/nearest.h"

namespace trivet::core {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

class Lexer {
 public:
  Lexer(std::string_view line, const Position& position, Problems& problems)
      : line_(line), start_(position), problems_(&problems) {}

  LexedLine run() {
    while (skip_blanks(), !at_end()) {
      if (line_.substr(at_).starts_with("//")) break;
      Token token;
      token.position = position();
      if (peek() == '{' || peek() == '}') {
        token.kind = peek() == '{' ? TokenKind::open : TokenKind::close;
        ++at_;
      } else if (!read_word(token.word)) {
        result_.is_good = false;
        break;
      }
      result_.tokens.push_back(std::move(token));
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= line_.size(); }
  [[nodiscard]] char peek() const { return line_[at_]; }
  [[nodiscard]] bool at_word_end() const { return at_end() || is_blank(peek()) || peek() == '{' || peek() == '}'; }
  [[nodiscard]] Position position() const {
    return {start_.source, start_.line, start_.column + static_cast<std::uint32_t>(at_)};
  }
  void skip_blanks() {
    while (!at_end() && is_blank(peek())) ++at_;
  }
  bool wrong(const Position& where, std::string text) {
    problems_->error(where, std::move(text));
    return false;
  }

  bool read_word(Word& word) {
    while (true) {
      Element element;
      element.position = position();
      const bool is_read = !at_end() && peek() == '"' ? read_quoted(element) : read_bare(element);
      if (!is_read) return false;
      if (!is_utf8(element.text)) return wrong(element.position, quoted_ascii(element.text) + " is not UTF-8 text");
      word.elements.push_back(std::move(element));
      if (at_word_end()) return true;
      ++at_;  // the comma
    }
  }

  bool read_bare(Element& element) {
    const std::size_t begin = at_;
    while (!at_word_end() && peek() != ',') {
      if (peek() == '"') return wrong(position(), "a quote in the middle of a word; quote the whole text");
      if (is_control(peek())) return wrong(position(), "a control character");
      ++at_;
    }
    element.text = line_.substr(begin, at_ - begin);
    if (!element.text.empty()) return true;
    return wrong(element.position, "an empty place in a list; lists are written without blanks, such as: 1,2,3");
  }

  bool read_quoted(Element& element) {
    element.quoted = true;
    ++at_;
    while (!at_end() && peek() != '"') {
      if (is_control(peek())) return wrong(position(), "a control character in quoted text");
      const bool is_escape =
          peek() == '\\' && at_ + 1 < line_.size() && (line_[at_ + 1] == '"' || line_[at_ + 1] == '\\');
      if (is_escape) ++at_;
      element.text += peek();
      ++at_;
    }
    if (at_end()) return wrong(element.position, "the closing quote is missing on this line");
    ++at_;
    if (at_word_end() || peek() == ',') return true;
    return wrong(position(), "text right behind a closing quote");
  }

  // For text that cannot be shown as it is.
  static std::string quoted_ascii(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return quoted(text);
  }

  std::string_view line_;
  Position start_;
  Problems* problems_;
  std::size_t at_ = 0;
  LexedLine result_;
};

// Length of the UTF-8 sequence that `text` begins with; 0 if it is malformed. RFC 3629 section 4.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2U
                             : lead >= 0xe0 && lead <= 0xef ? 3U
                             : lead >= 0xf0 && lead <= 0xf4 ? 4U
                                                            : 0U;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  // Overlong forms, surrogates, and beyond U+10FFFF.
  const unsigned char second = byte(1);
  const bool is_bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return is_bad ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

LexedLine lex_line(std::string_view line, const Position& position, Problems& problems) {
  return Lexer(line, position, problems).run();
}

}  // namespace trivet::core
