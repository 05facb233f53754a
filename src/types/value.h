// A single value of a Spark type, as literals and parameters carry it. The type stands beside it, never
// inside.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "types/data_type.h"

namespace deuteron::types {

using Int128 = __int128;

struct Value;
struct CalendarInterval {
  int32_t months = 0;
  int32_t days = 0;
  int64_t microseconds = 0;
  bool operator==(const CalendarInterval&) const = default;
};
struct MapEntries {
  std::vector<Value> keys;
  std::vector<Value> values;
  bool operator==(const MapEntries&) const;
};

// null; boolean; byte to long, date (days), timestamps and intervals (microseconds or months) as int64_t;
// float and double as double (a float's exact value); decimal as its unscaled Int128;
// string (UTF-8) and binary as std::string; array elements and struct fields in order; map.
struct Value {
  using Data = std::variant<std::monostate, bool, int64_t, double, Int128, std::string, CalendarInterval,
                            std::vector<Value>, MapEntries>;
  Data data;

  Value() = default;
  template <typename T>
  explicit Value(T&& value) : data(std::forward<T>(value)) {}
  Value(const Value&) = default;
  Value(Value&) = default;
  Value(Value&&) = default;
  Value& operator=(const Value&) = default;
  Value& operator=(Value&&) = default;

  bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  bool operator==(const Value& other) const { return data == other.data; }
};

struct TypedValue {
  DataType type;
  Value value;
  bool operator==(const TypedValue&) const = default;
};

inline bool MapEntries::operator==(const MapEntries& other) const {
  return keys == other.keys && values == other.values;
}

// The text of a literal as Spark's column names and plans show it: 1, abc, NULL, 1.50, DATE '2020-01-01' …
std::string to_sql_text(const TypedValue& value);
// Java's Double.toString and Float.toString: the fewest digits that read back as the same number, scientific
// outside 1e-3 … 1e7.
std::string floating_text(double value);
std::string floating_text(float value);
// Plain text of an Int128 with `scale` digits after the point.
std::string decimal_to_string(Int128 unscaled, int scale);
// Java's BigDecimal.toString of a plain text: what has many zeros after the point gets an exponent.
std::string big_decimal_text(const std::string& plain);
// Days since the epoch from a proleptic Gregorian date, and back.
int64_t days_from_civil(int64_t year, int month, int day);
struct CivilDate {
  int64_t year;
  int month;
  int day;
};
CivilDate civil_from_days(int64_t days);

}  // namespace deuteron::types
