// Spark's rules for bringing values of different types together: implicit casts, the widest common type, what
// can be cast to what, and the precision of decimal results. Pure functions; no state.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "plan/tree.h"
#include "types/data_type.h"
#include "types/value.h"

namespace deuteron::functions {

// The type to which CASE, IN, coalesce, UNION … bring both sides; nullopt when there is none.
std::optional<types::DataType> widest_common_type(const types::DataType& left, const types::DataType& right,
                                                  bool ansi = true);
std::optional<types::DataType> widest_common_type(std::span<const types::DataType> all, bool ansi = true);

// The same where strings are not promoted to numbers (greatest, array functions).
std::optional<types::DataType> widest_without_strings(std::span<const types::DataType> all);

// The type that holds both sides without loss (comparisons of nested values); decimals are not made wider.
std::optional<types::DataType> tightest_common_type(const types::DataType& left,
                                                    const types::DataType& right);

// Whether a value of `from` is taken where a function wants `to`, with a cast written by the analyzer. A
// literal string is also taken for numbers, dates and times (Spark folds it).
bool can_cast_implicitly(const types::DataType& from, const types::DataType& to, bool ansi = true);

// Whether CAST(from AS to) is allowed at all.
bool can_cast(const types::DataType& from, const types::DataType& to, plan::CastMode mode, bool ansi = true);
// A literal's value as `to` has it, where the cast surely succeeds in every mode; nullopt: leave it to the
// cast.
std::optional<types::Value> fold_cast(const types::Value& value, const types::DataType& from,
                                      const types::DataType& to);
// Whether storing a value of `from` in a column of `to` (INSERT) is allowed under the ANSI store-assignment
// policy.
bool can_store(const types::DataType& from, const types::DataType& to);
// Whether the cast may give null for a value that is not null.
bool cast_may_give_null(const types::DataType& from, const types::DataType& to, plan::CastMode mode,
                        bool ansi = true);
// A cast that never fails and keeps the value.
bool can_up_cast(const types::DataType& from, const types::DataType& to);

// decimal(precision, scale) cut to 38 digits, at least 6 of them after the point when the integral part needs
// room.
types::DataType adjust_precision_scale(int precision, int scale);
// Cut to 38 digits and 38 after the point, without regard to the integral part.
types::DataType bounded_decimal(int precision, int scale);
// The decimal that holds every value of an integral type: int → (10,0). Float (14,7), double (30,15).
types::DataType decimal_for(const types::DataType& type);
// The smallest decimal that holds an integral literal.
types::DataType decimal_for_literal(const types::Value& value);
// A decimal type that holds both without loss, when 38 digits suffice; else the adjusted one.
types::DataType wider_decimal(const types::DataType& left, const types::DataType& right);

// Can values of this type be ordered / compared for equality?
bool is_orderable(const types::DataType& type);
bool is_comparable(const types::DataType& type);  // no maps inside

// `type` with every nested nullability set to true.
types::DataType as_nullable(const types::DataType& type);

}  // namespace deuteron::functions
