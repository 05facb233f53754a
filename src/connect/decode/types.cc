#include "connect/decode/decoder.h"
#include "sql/parser.h"

namespace deuteron::connect::decode {

using types::DataType;
using types::TypeId;

DataType Decoder::unsupported_type(const char* name) {
  fail(unsupported(std::string("data type ") + name));
  return DataType();
}

DataType Decoder::decimal_type(const protocol::DataType::Decimal& message) {
  const int precision = message.has_precision() ? message.precision() : 10;
  const int scale = message.has_scale() ? message.scale() : 0;
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) {
    invalid("A decimal type of precision " + std::to_string(precision) + " and scale " +
            std::to_string(scale) + ".");
    return DataType();
  }
  return DataType::decimal(precision, scale);
}

DataType Decoder::struct_type(const protocol::DataType::Struct& message) {
  types::Schema fields;
  fields.reserve(static_cast<size_t>(message.fields_size()));
  for (const auto& field : message.fields()) {
    fields.push_back({field.name(), type(field.data_type()), field.nullable(), field.metadata()});
    if (fields.back().metadata_json == "{}") fields.back().metadata_json.clear();
  }
  return DataType::structure(std::move(fields));
}

DataType Decoder::type(const protocol::DataType& message) {
  const Level level(*this);
  if (level.too_deep()) return DataType();
  switch (message.kind_case()) {
    case protocol::DataType::kNull: return DataType();
    case protocol::DataType::kBinary: return DataType(TypeId::kBinary);
    case protocol::DataType::kBoolean: return DataType(TypeId::kBoolean);
    case protocol::DataType::kByte: return DataType(TypeId::kByte);
    case protocol::DataType::kShort: return DataType(TypeId::kShort);
    case protocol::DataType::kInteger: return DataType(TypeId::kInteger);
    case protocol::DataType::kLong: return DataType(TypeId::kLong);
    case protocol::DataType::kFloat: return DataType(TypeId::kFloat);
    case protocol::DataType::kDouble: return DataType(TypeId::kDouble);
    case protocol::DataType::kDecimal: return decimal_type(message.decimal());
    case protocol::DataType::kString: {
      const std::string& collation = message.string().collation();
      if (!collation.empty() && collation != "UTF8_BINARY")
        return unsupported_type("string with a collation");
      return DataType(TypeId::kString);
    }
    case protocol::DataType::kDate: return DataType(TypeId::kDate);
    case protocol::DataType::kTimestamp: return DataType(TypeId::kTimestamp);
    case protocol::DataType::kTimestampNtz: return DataType(TypeId::kTimestampNtz);
    case protocol::DataType::kCalendarInterval: return DataType(TypeId::kCalendarInterval);
    case protocol::DataType::kYearMonthInterval: {
      const auto& interval = message.year_month_interval();
      const int start = interval.has_start_field() ? interval.start_field() : 0;
      const int end = interval.has_end_field() ? interval.end_field() : 1;
      if (start < 0 || start > end || end > 1)
        invalid("A year-month interval type with fields out of range.");
      return DataType::year_month_interval(start, end);
    }
    case protocol::DataType::kDayTimeInterval: {
      const auto& interval = message.day_time_interval();
      const int start = interval.has_start_field() ? interval.start_field() : 0;
      const int end = interval.has_end_field() ? interval.end_field() : 3;
      if (start < 0 || start > end || end > 3) invalid("A day-time interval type with fields out of range.");
      return DataType::day_time_interval(start, end);
    }
    case protocol::DataType::kArray:
      return DataType::array(type(message.array().element_type()), message.array().contains_null());
    case protocol::DataType::kMap:
      return DataType::map(type(message.map().key_type()), type(message.map().value_type()),
                           message.map().value_contains_null());
    case protocol::DataType::kStruct: return struct_type(message.struct_());
    case protocol::DataType::kUnparsed: {
      // A type, or the columns of a struct.
      const std::string& text = message.unparsed().data_type_string();
      auto parsed = sql::parse_data_type(text);
      if (parsed.ok()) return *std::move(parsed);
      auto columns = sql::parse_schema(text);
      return columns.ok() ? DataType::structure(*std::move(columns)) : take(std::move(parsed));
    }
    case protocol::DataType::kChar: return unsupported_type("char");
    case protocol::DataType::kVarChar: return unsupported_type("varchar");
    case protocol::DataType::kVariant: return unsupported_type("variant");
    case protocol::DataType::kUdt: return unsupported_type("of a user (UDT)");
    case protocol::DataType::kGeometry: return unsupported_type("geometry");
    case protocol::DataType::kGeography: return unsupported_type("geography");
    case protocol::DataType::kTime: return unsupported_type("time");
    case protocol::DataType::KIND_NOT_SET: break;
  }
  invalid("A data type is missing.");
  return DataType();
}

}  // namespace deuteron::connect::decode
