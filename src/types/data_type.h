// Spark's data types as immutable values: cheap to copy, safe to share between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace deuteron::types {

enum class TypeId : uint8_t {
  kNull,
  kBoolean,
  kByte,
  kShort,
  kInteger,
  kLong,
  kFloat,
  kDouble,
  kDecimal,
  kString,
  kBinary,
  kDate,               // days since 1970-01-01
  kTimestamp,          // microseconds since 1970-01-01 UTC, shown in the session's time zone
  kTimestampNtz,       // microseconds since 1970-01-01 of a local clock
  kDayTimeInterval,    // microseconds
  kYearMonthInterval,  // months
  kCalendarInterval,   // months, days, microseconds
  kArray,
  kMap,
  kStruct,
};

class DataType;
struct StructField;
using Schema = std::vector<StructField>;

class DataType {
 public:
  DataType() = default;  // the null type ("void")
  explicit DataType(TypeId atomic) : id_(atomic) {}

  // 1 <= precision <= 38, 0 <= scale <= precision.
  static DataType decimal(int precision, int scale);
  // Fields count from the largest: day 0, hour 1, minute 2, second 3; year 0, month 1.
  static DataType day_time_interval(int start_field = 0, int end_field = 3);
  static DataType year_month_interval(int start_field = 0, int end_field = 1);
  static DataType array(DataType element, bool contains_null = true);
  static DataType map(DataType key, DataType value, bool value_contains_null = true);
  static DataType structure(Schema fields);

  TypeId id() const { return id_; }
  bool is(TypeId id) const { return id_ == id; }
  bool is_integral() const { return id_ >= TypeId::kByte && id_ <= TypeId::kLong; }
  bool is_numeric() const { return id_ >= TypeId::kByte && id_ <= TypeId::kDecimal; }
  bool is_nested() const { return id_ >= TypeId::kArray; }

  int precision() const { return first_; }    // decimal only
  int scale() const { return second_; }       // decimal only
  int start_field() const { return first_; }  // intervals only
  int end_field() const { return second_; }   // intervals only

  // Nested types only; the references live as long as any copy of this type.
  const DataType& element() const;  // array
  const DataType& key() const;      // map
  const DataType& value() const;    // map
  bool contains_null() const;       // array elements or map values
  const Schema& fields() const;     // struct

  // Equal types, nullability and field names included (case matters).
  bool operator==(const DataType& other) const;
  // Equal but for nullability of elements, values and fields.
  bool same_type(const DataType& other) const;

  std::string simple_string() const;  // "array<struct<a:int>>", as DataFrame.dtypes shows it
  std::string sql() const;            // "ARRAY<STRUCT<a: INT>>", as errors show it
  std::string json() const;           // as DataType.json() prints it
  std::string catalog_string() const { return simple_string(); }

 private:
  struct Nested;
  TypeId id_ = TypeId::kNull;
  uint8_t first_ = 0;
  uint8_t second_ = 0;
  std::shared_ptr<const Nested> nested_;
};

struct StructField {
  std::string name;
  DataType type;
  bool nullable = true;
  std::string metadata_json;  // "" means {}

  bool operator==(const StructField&) const = default;
};

// The tree that DataFrame.printSchema prints.
std::string tree_string(const Schema& schema, int max_depth = 0);

}  // namespace deuteron::types
