// What + - * / div mean where a date, a timestamp or an interval is among the operands. Internal to
// functions/.
#pragma once

#include <optional>
#include <string_view>

#include "functions/family.h"

namespace deuteron::functions {

bool is_date_or_time(const types::DataType& type);
bool is_any_interval(const types::DataType& type);

// `symbol` is + or -; nullopt: the operands are to be taken as ordinary ones.
std::optional<Result<Call>> resolve_date_time_sum(const Context& context, std::string_view symbol);
// sequence(from, to[, step]) of dates or timestamps; nullopt: neither end is one.
std::optional<Result<Call>> resolve_date_time_sequence(const Context& context);
// `symbol` is * / or div.
std::optional<Result<Call>> resolve_interval_scaling(const Context& context, std::string_view symbol);

}  // namespace deuteron::functions
