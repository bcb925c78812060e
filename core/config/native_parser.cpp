#include "core/config/native_parser.h"

#include <algorithm>
#include <span>

#include "core/config/native_lexer.h"
#include "core/config/nearest.h"

namespace trivet::core {
namespace {

// A section that is open while its lines are read.
struct OpenSection {
  std::string name;  // "server 1"
  Position position;
  Object* object = nullptr;  // null: the section could not be opened, its lines are only looked at
  bool is_assumed = false;   // its '{' was missing (reported): what follows from that is not reported again
};

bool is_bare_word(const Token& token) {
  return token.kind == TokenKind::word && token.word.elements.size() == 1 && !token.word.elements.front().quoted;
}

const std::string& text_of(const Token& token) { return token.word.elements.front().text; }

std::vector<Word> words_of(std::span<const Token> tokens) {
  std::vector<Word> words;
  words.reserve(tokens.size());
  for (const Token& token : tokens) words.push_back(token.word);
  return words;
}

bool is_number(const Token& token) {
  return is_bare_word(token) && std::ranges::all_of(text_of(token), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_statement(std::string_view keyword) {
  return std::ranges::find(statement_keywords, keyword) != std::end(statement_keywords);
}

class NativeParser {
 public:
  NativeParser(std::string source, Tree& tree, Problems& problems)
      : source_(std::move(source)), tree_(&tree), builder_(tree, problems), problems_(&problems) {}

  void run(std::string_view text) {
    const std::size_t first_problem = problems_->list().size();
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    std::uint32_t number = 0;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      read_line(line, {source_, ++number, 1});
      if (problems_->list().size() - first_problem >= TreeLimits::problems) {
        problems_->error({source_, number, 0}, "too many errors; the rest is not read");
        return;
      }
    }
    if (section_ && !section_->is_assumed) {
      problems_->error(section_->position, "section " + quoted(section_->name) + " is not closed, '}' is missing");
    }
  }

 private:
  void read_line(std::string_view line, const Position& position) {
    if (line.size() > TreeLimits::line_length) {
      problems_->error(position, "a line of " + std::to_string(line.size()) + " bytes; at most " +
                                     std::to_string(TreeLimits::line_length) + " are read");
      return;
    }
    const LexedLine lexed = lex_line(line, position, *problems_);
    // What stands before a lexical error is not used, but a '{' at the end of the line still opens the section, so that
    // one mistake is one error.
    if (!lexed.is_good) {
      note_head_line(lexed.tokens);
      note_fault();
      if (!section_ && line.find('{') != std::string_view::npos) section_ = OpenSection{"", position, nullptr, true};
      return;
    }
    if (lexed.tokens.empty()) return;
    const std::span<const Token> tokens(lexed.tokens);
    if (section_) {
      section_line(tokens);
    } else {
      command_line(tokens);
    }
  }

  // A hostname or modules line that cannot be read is there all the same.
  void note_head_line(std::span<const Token> tokens) {
    if (section_ || tokens.empty() || !is_bare_word(tokens.front())) return;
    const std::string& keyword = text_of(tokens.front());
    tree_->has_hostname_line = tree_->has_hostname_line || keyword == "hostname";
    tree_->has_modules_line = tree_->has_modules_line || keyword == "modules";
  }

  // Part of the open section is wrong, and has been reported.
  void note_fault() {
    if (section_ && section_->object != nullptr) section_->object->is_faulty = true;
  }

  void section_line(std::span<const Token> tokens) {
    const Token& first = tokens.front();
    if (first.kind == TokenKind::close) {
      section_.reset();
      if (tokens.size() > 1) problems_->error(tokens[1].position, "text behind '}'; put it on a line of its own");
      return;
    }
    if (first.kind == TokenKind::open) {
      if (!section_->is_assumed) problems_->error(first.position, "'{' without a section before it");
      return;
    }
    if (tokens.back().kind == TokenKind::open || is_block(tokens) ||
        (is_bare_word(first) && is_statement(text_of(first)))) {
      if (!section_->is_assumed) {
        problems_->error(first.position, quoted(text_of(first)) + " inside section " + quoted(section_->name) +
                                             " opened in line " + std::to_string(section_->position.line) +
                                             ", '}' is missing before it");
      }
      // Either '}' is missing here, or this is a section within a section, and one '}' too many comes.
      may_close_again_ = may_close_again_ || tokens.back().kind == TokenKind::open;
      section_.reset();
      command_line(tokens);
      return;
    }
    const bool closes = tokens.back().kind == TokenKind::close;
    if (closes) {
      problems_->error(tokens.back().position, "'}' stands on a line of its own");
      tokens = tokens.first(tokens.size() - 1);
    }
    add_parameter(section_->object, tokens);
    if (closes) section_.reset();
  }

  // "... { }"
  static bool is_block(std::span<const Token> tokens) {
    return tokens.size() >= 3 && tokens.back().kind == TokenKind::close &&
           tokens[tokens.size() - 2].kind == TokenKind::open;
  }

  // Keyword and words of a parameter, no brace among them.
  void add_parameter(Object* object, std::span<const Token> tokens) {
    for (const Token& token : tokens) {
      if (token.kind != TokenKind::word) {
        problems_->error(token.position, "a brace inside a parameter; text with braces is written in quotes");
        note_fault();
        return;
      }
    }
    const Token& first = tokens.front();
    if (!is_bare_word(first) || !is_keyword(text_of(first))) {
      problems_->error(first.position, quoted(text_of(first)) + " is no keyword" + comment_hint(first));
      note_fault();
      return;
    }
    if (object == nullptr) return;
    Parameter parameter;
    parameter.keyword = text_of(first);
    parameter.words = words_of(tokens.subspan(1));
    parameter.position = first.position;
    builder_.add(*object, std::move(parameter));
  }

  static std::string comment_hint(const Token& token) {
    const std::string& text = text_of(token);
    if (!text.starts_with('#') && !text.starts_with('!') && !text.starts_with(';') && !text.starts_with('/')) return "";
    return "; a comment begins with //";
  }

  void command_line(std::span<const Token> tokens) {
    const Token& first = tokens.front();
    if (first.kind == TokenKind::close && tokens.size() == 1 && may_close_again_) {
      may_close_again_ = false;
      return;
    }
    if (first.kind != TokenKind::word) {
      problems_->error(first.position, first.kind == TokenKind::close ? "'}' without an open section"
                                                                      : "'{' without a section before it");
      return;
    }
    if (!is_bare_word(first) || !is_keyword(text_of(first))) {
      problems_->error(first.position,
                       quoted(text_of(first)) + " is neither a command nor a section" + comment_hint(first));
      if (tokens.back().kind == TokenKind::open) section_ = OpenSection{text_of(first), first.position, nullptr, false};
      return;
    }
    const auto brace = std::ranges::find_if(tokens, [](const Token& token) { return token.kind != TokenKind::word; });
    if (is_statement(text_of(first))) {
      if (brace != tokens.end()) {
        problems_->error(brace->position, text_of(first) + " is a command and takes no braces");
      } else {
        statement(text_of(first), first.position, words_of(tokens.subspan(1)));
      }
      return;
    }
    const auto brace_at = static_cast<std::size_t>(brace - tokens.begin());
    if (brace != tokens.end()) {
      section_header(tokens.first(brace_at), tokens.subspan(brace_at));
    } else {
      one_line_parameter(tokens);
    }
  }

  void statement(const std::string& keyword, const Position& position, const std::vector<Word>& words) {
    if (keyword == "hostname") return builder_.hostname(position, words);
    if (keyword == "modules") return builder_.modules(position, words);
    if (keyword == "register") return builder_.life_cycle(position, LifeCycleVerb::register_object, words);
    if (keyword == "enable") return builder_.life_cycle(position, LifeCycleVerb::enable, words);
    if (keyword == "disable") return builder_.life_cycle(position, LifeCycleVerb::disable, words);
    if (keyword == "unregister") return builder_.life_cycle(position, LifeCycleVerb::unregister, words);
    builder_.remove(position, words);
  }

  // `names` are the words before the braces, at least the section.
  void section_header(std::span<const Token> names, std::span<const Token> braces) {
    const Token& first = names.front();
    const bool is_open = braces.front().kind == TokenKind::open;
    if (!is_open) {
      problems_->error(braces.front().position, "'}' without an open section");
      return;
    }
    OpenSection section{text_of(first), first.position, nullptr, false};
    if (names.size() > 2) {
      problems_->error(names[2].position, "a section opens with its name, a number if it has one, and '{'");
    } else if (const auto index = section_index(names)) {
      section.name = object_name(text_of(first), *index);
      section.object = builder_.open(first.position, text_of(first), *index);
    }
    section_ = std::move(section);
    if (braces.size() == 1) return;
    if (braces[1].kind == TokenKind::close) {
      section_.reset();
      if (braces.size() > 2) problems_->error(braces[2].position, "text behind '}'; put it on a line of its own");
      return;
    }
    problems_->error(braces[1].position, "text behind '{'; each parameter stands on a line of its own");
    note_fault();
    if (braces.back().kind == TokenKind::close) section_.reset();
  }

  // 0 for a section without number; none (reported) when it is malformed.
  std::optional<std::uint32_t> section_index(std::span<const Token> names) {
    if (names.size() < 2) return 0;
    const Token& token = names[1];
    const std::string& text = text_of(token);
    const auto number = token.word.elements.size() == 1 ? parse_number(text, TreeLimits::index) : std::nullopt;
    if (number && *number != 0) return static_cast<std::uint32_t>(*number);
    const bool is_list = token.word.elements.size() > 1 || parse_range(text, TreeLimits::index);
    const bool is_zero = number && *number == 0;
    problems_->error(token.position, is_zero              ? "the numbers of a section begin with 1, not 0"
                                     : is_list && !number ? "a section is opened for one number at a time"
                                                          : quoted(text) + " is no number from 1 to " +
                                                                std::to_string(TreeLimits::index));
    return std::nullopt;
  }

  // "set ipforwarding 1", "server 1 port 80"
  void one_line_parameter(std::span<const Token> tokens) {
    const std::string& section = text_of(tokens.front());
    const std::size_t names = tokens.size() > 1 && is_number(tokens[1]) ? 2 : 1;
    if (tokens.size() == names) {
      const auto index = section_index(tokens.first(names));
      const std::string name = object_name(section, index.value_or(0));
      if (!index) return;
      if (const auto near = nearest(section, commands()); near && names == 1) {
        problems_->error(tokens.front().position,
                         "unknown command " + quoted(section) + suggestion(section, commands()));
        return;
      }
      if (names == 1) {
        // Nobody knows whether it is a section at all: it is not kept, so that nothing else is said about it.
        problems_->error(tokens.front().position,
                         quoted(name) + " is no command; if it is a section, '{' is missing behind it");
        section_ = OpenSection{name, tokens.front().position, nullptr, true};
        return;
      }
      problems_->error(tokens.back().position, "'{' is missing behind " + quoted(name));
      section_ =
          OpenSection{name, tokens.front().position, builder_.open(tokens.front().position, section, *index), true};
      return;
    }
    const Token& key = tokens[names];
    if (!is_bare_word(key) || !is_keyword(text_of(key))) {
      const auto near = nearest(section, commands());
      problems_->error(near ? tokens.front().position : key.position,
                       near ? "unknown command " + quoted(section) + suggestion(section, commands())
                            : quoted(text_of(key)) + " is no keyword for " + section);
      return;
    }
    const auto index = section_index(tokens.first(names));
    if (index) add_parameter(builder_.open(tokens.front().position, section, *index), tokens.subspan(names));
  }

  static const std::vector<std::string>& commands() {
    static const std::vector<std::string> list(std::begin(statement_keywords), std::end(statement_keywords));
    return list;
  }

  std::string source_;
  Tree* tree_;
  TreeBuilder builder_;
  Problems* problems_;
  std::optional<OpenSection> section_;
  bool may_close_again_ = false;  // one '}' without section follows from an error that has been reported
};

}  // namespace

void parse_native(std::string_view text, const std::string& source, Tree& tree, Problems& problems) {
  if (text.size() > TreeLimits::text_size) {
    problems.error({source, 0, 0}, "the configuration has " + std::to_string(text.size()) + " bytes; at most " +
                                       std::to_string(TreeLimits::text_size) + " are read");
    tree.has_hostname_line = true;
    tree.has_modules_line = true;
    return;
  }
  NativeParser(source, tree, problems).run(text);
}

std::optional<std::vector<Word>> parse_words(std::string_view text) {
  Problems problems;
  const LexedLine lexed = lex_line(text, {}, problems);
  const bool is_plain =
      std::ranges::all_of(lexed.tokens, [](const Token& token) { return token.kind == TokenKind::word; });
  if (!lexed.is_good || !is_plain) return std::nullopt;
  return words_of(lexed.tokens);
}

}  // namespace trivet::core
