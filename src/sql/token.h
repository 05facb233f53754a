// What the lexer makes of SQL text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace deuteron::sql {

enum class TokenKind : uint8_t {
  kWord,        // an unquoted identifier or keyword; Spark reserves none of them
  kQuotedName,  // `…`
  kString,      // '…', "…", r'…'
  kInteger,     // 12
  kDecimal,     // 1.5  .5  5.
  kExponent,    // 1e3  1.5e-3
  kSuffixed,    // 1L  2S  3Y  1.5F  1D  1.5BD
  kSymbol,      // operators and punctuation; also characters that SQL does not know
  kHintStart,   // /*+
  kHintEnd,     // its */
  kEnd,         // behind the last token
};

// Views point into the text that was given to the lexer.
struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  std::string upper;   // of a word: in upper case, for comparison with keywords; of a symbol: the text
  size_t begin = 0;    // byte offset
  size_t end = 0;      // byte offset behind the token
  int32_t match = -1;  // of ( and ): index of the other one; -1 when there is none
};
using Tokens = std::vector<Token>;

}  // namespace deuteron::sql
