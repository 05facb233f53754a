#include "functions/coercion.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <vector>

namespace deuteron::functions {

using types::DataType;
using types::TypeId;

namespace {

constexpr int kMaxPrecision = 38;
constexpr int kMinAdjustedScale = 6;

bool is_atomic(const DataType& type) { return !type.is_nested() && !type.is(TypeId::kNull); }
bool is_floating(const DataType& type) { return type.is(TypeId::kFloat) || type.is(TypeId::kDouble); }
bool is_timestamp(const DataType& type) {
  return type.is(TypeId::kTimestamp) || type.is(TypeId::kTimestampNtz);
}
bool is_ansi_interval(const DataType& type) {
  return type.is(TypeId::kDayTimeInterval) || type.is(TypeId::kYearMonthInterval);
}

// How far two types may be from each other. Each kind allows what the one before it allows.
enum class Widening { kTightest, kDecimals, kStrings };

// Types of one value that holds both without loss; strings are not promoted.
std::optional<DataType> tightest(const DataType& left, const DataType& right) {
  if (left == right) return left;
  if (left.is(TypeId::kNull)) return right;
  if (right.is(TypeId::kNull)) return left;
  if (left.is_numeric() && right.is_numeric() && !left.is(TypeId::kDecimal) && !right.is(TypeId::kDecimal)) {
    const TypeId wider = std::max(left.id(), right.id());
    // An integral type with a float gives a double, since a float would lose digits.
    return DataType(wider == TypeId::kFloat ? TypeId::kDouble : wider);
  }
  if ((left.is(TypeId::kDate) && is_timestamp(right)) || (right.is(TypeId::kDate) && is_timestamp(left))) {
    return left.is(TypeId::kDate) ? right : left;
  }
  if (is_timestamp(left) && is_timestamp(right)) return DataType(TypeId::kTimestamp);
  if (left.id() == right.id() && is_ansi_interval(left)) {
    const int start = std::min(left.start_field(), right.start_field());
    const int end = std::max(left.end_field(), right.end_field());
    return left.is(TypeId::kDayTimeInterval) ? DataType::day_time_interval(start, end)
                                             : DataType::year_month_interval(start, end);
  }
  return std::nullopt;
}

std::optional<DataType> widest_decimal(const DataType& left, const DataType& right) {
  const bool left_decimal = left.is(TypeId::kDecimal), right_decimal = right.is(TypeId::kDecimal);
  if (!left.is_numeric() || !right.is_numeric() || (!left_decimal && !right_decimal)) return std::nullopt;
  if (is_floating(left) || is_floating(right)) return DataType(TypeId::kDouble);
  return wider_decimal(decimal_for(left), decimal_for(right));
}

std::optional<DataType> promoted_string(const DataType& other) {
  if (other.is_integral()) return DataType(TypeId::kLong);
  if (other.is_numeric()) return DataType(TypeId::kDouble);
  if (is_ansi_interval(other) || other.is(TypeId::kCalendarInterval)) return std::nullopt;
  if (is_atomic(other)) return other;
  return std::nullopt;
}

// A decimal that holds every value of the other side's integral type.
std::optional<DataType> roomy_decimal(const DataType& left, const DataType& right) {
  if (left.is_integral() && right.is(TypeId::kDecimal) && can_up_cast(left, right)) return right;
  if (right.is_integral() && left.is(TypeId::kDecimal) && can_up_cast(right, left)) return left;
  return std::nullopt;
}

std::optional<DataType> widest(const DataType& left, const DataType& right, Widening widening);

std::optional<DataType> widest_nested(const DataType& left, const DataType& right, Widening widening) {
  if (left.id() != right.id()) return std::nullopt;
  if (left.is(TypeId::kArray)) {
    auto element = widest(left.element(), right.element(), widening);
    if (!element) return std::nullopt;
    return DataType::array(*element, left.contains_null() || right.contains_null());
  }
  if (left.is(TypeId::kMap)) {
    auto key = widest(left.key(), right.key(), widening);
    auto value = widest(left.value(), right.value(), widening);
    if (!key || !value) return std::nullopt;
    return DataType::map(*key, *value, left.contains_null() || right.contains_null());
  }
  if (left.is(TypeId::kStruct)) {
    if (left.fields().size() != right.fields().size()) return std::nullopt;
    types::Schema fields;
    for (size_t i = 0; i < left.fields().size(); ++i) {
      const auto& a = left.fields()[i];
      const auto& b = right.fields()[i];
      const auto same = std::equal(a.name.begin(), a.name.end(), b.name.begin(), b.name.end(),
                                   [](char x, char y) { return std::tolower(x) == std::tolower(y); });
      auto type = same ? widest(a.type, b.type, widening) : std::nullopt;
      if (!type) return std::nullopt;
      fields.push_back({a.name, *type, a.nullable || b.nullable, ""});
    }
    return DataType::structure(std::move(fields));
  }
  return std::nullopt;
}

std::optional<DataType> widest(const DataType& left, const DataType& right, Widening widening) {
  if (auto type = tightest(left, right)) return type;
  if (auto type = widening == Widening::kTightest ? roomy_decimal(left, right) : widest_decimal(left, right))
    return type;
  if (auto type = widest_nested(left, right, widening)) return type;
  if (widening != Widening::kStrings) return std::nullopt;
  if (left.is(TypeId::kString)) return promoted_string(right);
  if (right.is(TypeId::kString)) return promoted_string(left);
  return std::nullopt;
}

int integral_digits(const DataType& type) { return type.precision() - type.scale(); }

}  // namespace

std::optional<DataType> widest_common_type(const DataType& left, const DataType& right, bool) {
  return widest(left, right, Widening::kStrings);
}

std::optional<DataType> widest_common_type(std::span<const DataType> all, bool) {
  // Strings last, as promotion would otherwise depend on the order.
  std::optional<DataType> result = DataType();
  std::vector<DataType> ordered(all.begin(), all.end());
  std::stable_partition(ordered.begin(), ordered.end(),
                        [](const DataType& type) { return type.is(TypeId::kString); });
  for (const DataType& type : ordered) {
    if (result) result = widest(*result, type, Widening::kStrings);
  }
  return result;
}

std::optional<DataType> widest_without_strings(std::span<const DataType> all) {
  std::optional<DataType> result = DataType();
  for (const DataType& type : all) {
    if (result) result = widest(*result, type, Widening::kDecimals);
  }
  return result;
}

std::optional<DataType> tightest_common_type(const DataType& left, const DataType& right) {
  return widest(left, right, Widening::kTightest);
}

bool can_cast_implicitly(const DataType& from, const DataType& to, bool) {
  if (from.same_type(to) || from.is(TypeId::kNull)) return true;
  if (from.is(TypeId::kString)) return is_atomic(to);
  if (to.is(TypeId::kString)) return is_atomic(from);
  if (from.is_numeric() && to.is_numeric()) {
    if (from.is(TypeId::kDecimal) || to.is(TypeId::kDecimal)) return can_up_cast(from, to) || is_floating(to);
    return from.id() <= to.id();
  }
  if (from.is(TypeId::kDate)) return is_timestamp(to);
  if (is_timestamp(from)) return is_timestamp(to) || to.is(TypeId::kDate);
  if (from.is(TypeId::kArray) && to.is(TypeId::kArray))
    return can_cast_implicitly(from.element(), to.element());
  return false;
}

bool can_up_cast(const DataType& from, const DataType& to) {
  if (from.same_type(to) || from.is(TypeId::kNull)) return true;
  if (from.is_numeric() && to.is_numeric()) {
    if (to.is(TypeId::kDecimal)) {
      if (is_floating(from)) return false;
      const DataType exact = decimal_for(from);
      return to.scale() >= exact.scale() && integral_digits(to) >= integral_digits(exact);
    }
    if (from.is(TypeId::kDecimal)) return false;
    return from.id() <= to.id();
  }
  if (from.is(TypeId::kDate)) return is_timestamp(to) || to.is(TypeId::kString);
  if (is_timestamp(from) && is_timestamp(to)) return true;
  if (to.is(TypeId::kString)) return is_atomic(from);
  if (from.is(TypeId::kArray) && to.is(TypeId::kArray)) return can_up_cast(from.element(), to.element());
  return false;
}

bool can_cast(const DataType& from, const DataType& to, plan::CastMode mode, bool ansi) {
  const bool strict = mode == plan::CastMode::kDefault ? ansi : mode != plan::CastMode::kLegacy;
  if (from.same_type(to) || from.is(TypeId::kNull)) return true;
  if (to.is(TypeId::kNull)) return false;
  if (to.is(TypeId::kString)) return true;
  if (from.is(TypeId::kString)) return is_atomic(to);
  if (from.id() == to.id()) {
    switch (from.id()) {
      case TypeId::kArray:
        return can_cast(from.element(), to.element(), mode, ansi) &&
               (!from.contains_null() || to.contains_null());
      case TypeId::kMap:
        return can_cast(from.key(), to.key(), mode, ansi) && can_cast(from.value(), to.value(), mode, ansi) &&
               (!from.contains_null() || to.contains_null());
      case TypeId::kStruct: {
        if (from.fields().size() != to.fields().size()) return false;
        for (size_t i = 0; i < from.fields().size(); ++i) {
          if (!can_cast(from.fields()[i].type, to.fields()[i].type, mode, ansi)) return false;
          if (from.fields()[i].nullable && !to.fields()[i].nullable) return false;
        }
        return true;
      }
      default: return true;
    }
  }
  if (from.is_nested() || to.is_nested()) return false;
  if (to.is(TypeId::kBoolean)) {
    return from.is_numeric() || ((from.is(TypeId::kTimestamp) || from.is(TypeId::kDate)) && !strict);
  }
  if (to.is_numeric()) {
    if (from.is_numeric() || from.is(TypeId::kBoolean)) return true;
    if (from.is(TypeId::kTimestamp)) return true;
    if (from.is(TypeId::kDate)) return !strict;
    if (is_ansi_interval(from)) return !is_floating(to);
    return false;
  }
  switch (to.id()) {
    case TypeId::kBinary: return from.is_integral() && !strict;
    case TypeId::kDate: return is_timestamp(from);
    case TypeId::kTimestamp:
      return from.is(TypeId::kDate) || from.is(TypeId::kTimestampNtz) || from.is_numeric() ||
             (from.is(TypeId::kBoolean) && !strict);
    case TypeId::kTimestampNtz: return from.is(TypeId::kDate) || from.is(TypeId::kTimestamp);
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return from.is_integral() || from.is(TypeId::kDecimal);
    default: return false;
  }
}

bool can_store(const DataType& from, const DataType& to) {
  if (from.same_type(to) || from.is(TypeId::kNull)) return true;
  if (from.is_numeric() && to.is_numeric()) return true;
  if (to.is(TypeId::kString)) return is_atomic(from);
  if (from.is(TypeId::kDate) || is_timestamp(from)) return to.is(TypeId::kDate) || is_timestamp(to);
  if (from.id() != to.id()) return false;
  if (from.is(TypeId::kArray)) return can_store(from.element(), to.element());
  if (from.is(TypeId::kMap)) return can_store(from.key(), to.key()) && can_store(from.value(), to.value());
  if (from.is(TypeId::kStruct)) {
    if (from.fields().size() != to.fields().size()) return false;
    for (size_t i = 0; i < from.fields().size(); ++i) {
      if (!can_store(from.fields()[i].type, to.fields()[i].type)) return false;
    }
    return true;
  }
  return is_ansi_interval(from);
}

bool cast_may_give_null(const DataType& from, const DataType& to, plan::CastMode mode, bool) {
  if (from.same_type(to)) return false;
  if (mode == plan::CastMode::kTry) return !can_up_cast(from, to);
  if (from.is(TypeId::kNull)) return true;
  if (from.is(TypeId::kString)) return !to.is(TypeId::kString) && !to.is(TypeId::kBinary);
  if (to.is(TypeId::kString)) return false;
  if (from.is(TypeId::kDate) && (to.is_numeric() || to.is(TypeId::kBoolean))) return true;
  if (is_floating(from)) return to.is(TypeId::kTimestamp) || to.is(TypeId::kDecimal);
  if (from.is(TypeId::kTimestamp))
    return to.is(TypeId::kByte) || to.is(TypeId::kShort) || to.is(TypeId::kInteger);
  if (to.is(TypeId::kDecimal)) return from.is_numeric() ? !can_up_cast(from, to) : !from.is(TypeId::kBoolean);
  if (to.is(TypeId::kDate)) return !is_timestamp(from);
  if (to.is(TypeId::kCalendarInterval)) return true;
  return false;
}

// Whether an integral type holds the number.
static bool within(int64_t number, const DataType& type) {
  const int bits = type.is(TypeId::kByte)      ? 7
                   : type.is(TypeId::kShort)   ? 15
                   : type.is(TypeId::kInteger) ? 31
                                               : 63;
  return (number >> bits) == (number < 0 ? -1 : 0);
}

std::optional<types::Value> fold_cast(const types::Value& value, const DataType& from, const DataType& to) {
  if (const auto* integer = std::get_if<int64_t>(&value.data); integer != nullptr && from.is_integral()) {
    if (to.is_integral() && within(*integer, to)) return value;
    if (to.is(TypeId::kDouble) && std::abs(*integer) < (int64_t{1} << 53))
      return types::Value(static_cast<double>(*integer));
    if (to.is(TypeId::kDecimal)) {
      types::Int128 unscaled = *integer, limit = 1;
      for (int i = 0; i < to.precision() - to.scale(); ++i) limit *= 10;
      if (unscaled >= limit || unscaled <= -limit) return std::nullopt;
      for (int i = 0; i < to.scale(); ++i) unscaled *= 10;
      return types::Value(unscaled);
    }
  }
  if (const auto* decimal = std::get_if<types::Int128>(&value.data);
      decimal != nullptr && to.is(TypeId::kDecimal)) {
    if (to.scale() < from.scale() || to.precision() - to.scale() < from.precision() - from.scale())
      return std::nullopt;
    types::Int128 unscaled = *decimal;
    for (int i = from.scale(); i < to.scale(); ++i) unscaled *= 10;
    return types::Value(unscaled);
  }
  if (const auto* real = std::get_if<double>(&value.data);
      real != nullptr && to.is_integral() && std::abs(*real) < (int64_t{1} << 53)) {
    const auto whole = static_cast<int64_t>(*real);
    return within(whole, to) ? std::optional(types::Value(whole)) : std::nullopt;
  }
  if (const auto* text = std::get_if<std::string>(&value.data);
      text != nullptr && from.is(TypeId::kString) && to.is_integral()) {
    int64_t whole = 0;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), whole);
    const bool all = failed == std::errc() && end == text->data() + text->size();
    return all && within(whole, to) ? std::optional(types::Value(whole)) : std::nullopt;
  }
  if (const auto* text = std::get_if<std::string>(&value.data);
      text != nullptr && from.is(TypeId::kString) && to.is(TypeId::kDate)) {
    // yyyy-mm-dd and nothing else; other forms are left to the kernel.
    const auto digit = [&](size_t i) { return std::isdigit(static_cast<unsigned char>((*text)[i])) != 0; };
    if (text->size() != 10 || (*text)[4] != '-' || (*text)[7] != '-') return std::nullopt;
    for (const size_t i : {0, 1, 2, 3, 5, 6, 8, 9}) {
      if (!digit(i)) return std::nullopt;
    }
    const int year = std::stoi(text->substr(0, 4)), month = std::stoi(text->substr(5, 2)),
              day = std::stoi(text->substr(8, 2));
    if (month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
    const int64_t days = types::days_from_civil(year, month, day);
    if (types::civil_from_days(days).day != day) return std::nullopt;
    return types::Value(days);
  }
  return std::nullopt;
}

DataType adjust_precision_scale(int precision, int scale) {
  if (precision <= kMaxPrecision) return DataType::decimal(precision, scale);
  const int integral = precision - scale;
  const int least = std::min(scale, kMinAdjustedScale);
  return DataType::decimal(kMaxPrecision, std::max(kMaxPrecision - integral, least));
}

DataType bounded_decimal(int precision, int scale) {
  return DataType::decimal(std::min(precision, kMaxPrecision), std::min(scale, kMaxPrecision));
}

DataType decimal_for(const DataType& type) {
  switch (type.id()) {
    case TypeId::kByte: return DataType::decimal(3, 0);
    case TypeId::kShort: return DataType::decimal(5, 0);
    case TypeId::kInteger: return DataType::decimal(10, 0);
    case TypeId::kLong: return DataType::decimal(20, 0);
    case TypeId::kFloat: return DataType::decimal(14, 7);
    case TypeId::kDouble: return DataType::decimal(30, 15);
    case TypeId::kDecimal: return type;
    default: return DataType::decimal(38, 18);
  }
}

DataType decimal_for_literal(const types::Value& value) {
  const auto* number = std::get_if<int64_t>(&value.data);
  if (number == nullptr) return DataType::decimal(20, 0);
  const std::string digits = std::to_string(*number);
  return DataType::decimal(static_cast<int>(digits.size()) - (*number < 0 ? 1 : 0), 0);
}

DataType wider_decimal(const DataType& left, const DataType& right) {
  const int scale = std::max(left.scale(), right.scale());
  const int integral = std::max(integral_digits(left), integral_digits(right));
  return bounded_decimal(integral + scale, scale);
}

bool is_orderable(const DataType& type) {
  switch (type.id()) {
    case TypeId::kMap:
    case TypeId::kCalendarInterval: return false;
    case TypeId::kArray: return is_orderable(type.element());
    case TypeId::kStruct:
      return std::all_of(type.fields().begin(), type.fields().end(),
                         [](const types::StructField& field) { return is_orderable(field.type); });
    default: return true;
  }
}

bool is_comparable(const DataType& type) {
  switch (type.id()) {
    case TypeId::kMap: return false;
    case TypeId::kArray: return is_comparable(type.element());
    case TypeId::kStruct:
      return std::all_of(type.fields().begin(), type.fields().end(),
                         [](const types::StructField& field) { return is_comparable(field.type); });
    default: return true;
  }
}

DataType as_nullable(const DataType& type) {
  switch (type.id()) {
    case TypeId::kArray: return DataType::array(as_nullable(type.element()), true);
    case TypeId::kMap: return DataType::map(as_nullable(type.key()), as_nullable(type.value()), true);
    case TypeId::kStruct: {
      types::Schema fields = type.fields();
      for (types::StructField& field : fields) {
        field.type = as_nullable(field.type);
        field.nullable = true;
      }
      return DataType::structure(std::move(fields));
    }
    default: return type;
  }
}

}  // namespace deuteron::functions
