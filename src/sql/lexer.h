// SQL text -> tokens, Spark's rules: comments nest, words may begin with a digit, strings take backslash
// escapes.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "sql/token.h"

namespace deuteron::sql {

// The last token is kEnd. The text must outlive the tokens. Fails with UNCLOSED_BRACKETED_COMMENT only: what
// is not SQL becomes a symbol, which no rule of the grammar accepts.
Result<Tokens> tokenize(std::string_view text);

// The value of a string token: quotes and escapes taken away. Escapes may leave halves of characters
// (surrogates), which meet when adjacent literals are joined.
std::string string_value(std::string_view token);
// Halves joined to characters; those left alone become '?'.
std::string with_whole_characters(std::string value);
// The name in a `quoted` token.
std::string quoted_name(std::string_view token);

std::string to_upper(std::string_view text);

}  // namespace deuteron::sql
