#include "connect/encode/data_type.h"

namespace deuteron::connect {
namespace {

using types::TypeId;

void encode_into(const types::DataType& type, spark::connect::DataType& out);

void encode_fields(const types::Schema& schema, spark::connect::DataType_Struct& out) {
  for (const types::StructField& field : schema) {
    auto* encoded = out.add_fields();
    encoded->set_name(field.name);
    encode_into(field.type, *encoded->mutable_data_type());
    encoded->set_nullable(field.nullable);
    if (!field.metadata_json.empty()) encoded->set_metadata(field.metadata_json);
  }
}

void encode_into(const types::DataType& type, spark::connect::DataType& out) {
  switch (type.id()) {
    case TypeId::kNull: out.mutable_null(); break;
    case TypeId::kBoolean: out.mutable_boolean(); break;
    case TypeId::kByte: out.mutable_byte(); break;
    case TypeId::kShort: out.mutable_short_(); break;
    case TypeId::kInteger: out.mutable_integer(); break;
    case TypeId::kLong: out.mutable_long_(); break;
    case TypeId::kFloat: out.mutable_float_(); break;
    case TypeId::kDouble: out.mutable_double_(); break;
    case TypeId::kString: out.mutable_string()->set_collation("UTF8_BINARY"); break;
    case TypeId::kBinary: out.mutable_binary(); break;
    case TypeId::kDate: out.mutable_date(); break;
    case TypeId::kTimestamp: out.mutable_timestamp(); break;
    case TypeId::kTimestampNtz: out.mutable_timestamp_ntz(); break;
    case TypeId::kCalendarInterval: out.mutable_calendar_interval(); break;
    case TypeId::kDecimal:
      out.mutable_decimal()->set_precision(type.precision());
      out.mutable_decimal()->set_scale(type.scale());
      break;
    case TypeId::kDayTimeInterval:
      out.mutable_day_time_interval()->set_start_field(type.start_field());
      out.mutable_day_time_interval()->set_end_field(type.end_field());
      break;
    case TypeId::kYearMonthInterval:
      out.mutable_year_month_interval()->set_start_field(type.start_field());
      out.mutable_year_month_interval()->set_end_field(type.end_field());
      break;
    case TypeId::kArray:
      encode_into(type.element(), *out.mutable_array()->mutable_element_type());
      out.mutable_array()->set_contains_null(type.contains_null());
      break;
    case TypeId::kMap:
      encode_into(type.key(), *out.mutable_map()->mutable_key_type());
      encode_into(type.value(), *out.mutable_map()->mutable_value_type());
      out.mutable_map()->set_value_contains_null(type.contains_null());
      break;
    case TypeId::kStruct: encode_fields(type.fields(), *out.mutable_struct_()); break;
  }
}

}  // namespace

spark::connect::DataType encode_type(const types::DataType& type) {
  spark::connect::DataType out;
  encode_into(type, out);
  return out;
}

spark::connect::DataType encode_schema(const types::Schema& schema) {
  spark::connect::DataType out;
  encode_fields(schema, *out.mutable_struct_());
  return out;
}

}  // namespace deuteron::connect
