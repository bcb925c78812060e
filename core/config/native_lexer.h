// Cuts one line of the native language into words and braces. Thread: any. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/tree.h"
#include "trivet/result.h"

namespace trivet::core {

enum class TokenKind : std::uint8_t { word, open, close };

struct Token {
  TokenKind kind = TokenKind::word;
  Word word;  // of a word only
  Position position;
};

struct LexedLine {
  std::vector<Token> tokens;
  bool is_good = true;  // false: a problem was reported, the tokens are those before it
};

// `line` is without its line end. `position` is that of its first byte.
[[nodiscard]] LexedLine lex_line(std::string_view line, const Position& position, Problems& problems);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace trivet::core
