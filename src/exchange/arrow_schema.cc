#include "exchange/arrow_schema.h"

#include <nanoarrow/nanoarrow.h>

#include "exchange/stream_reader.h"

namespace deuteron::exchange {

namespace {

using types::DataType;
using types::TypeId;

struct TypePair {
  TypeId spark;
  ArrowType arrow;
};

// Types without parameters; the first pair of a Spark type is what is written, all are read.
constexpr TypePair kPlainTypes[] = {
    {TypeId::kNull, NANOARROW_TYPE_NA},
    {TypeId::kBoolean, NANOARROW_TYPE_BOOL},
    {TypeId::kByte, NANOARROW_TYPE_INT8},
    {TypeId::kShort, NANOARROW_TYPE_INT16},
    {TypeId::kInteger, NANOARROW_TYPE_INT32},
    {TypeId::kLong, NANOARROW_TYPE_INT64},
    {TypeId::kFloat, NANOARROW_TYPE_FLOAT},
    {TypeId::kDouble, NANOARROW_TYPE_DOUBLE},
    {TypeId::kString, NANOARROW_TYPE_STRING},
    {TypeId::kString, NANOARROW_TYPE_LARGE_STRING},
    {TypeId::kBinary, NANOARROW_TYPE_BINARY},
    {TypeId::kBinary, NANOARROW_TYPE_LARGE_BINARY},
    {TypeId::kBinary, NANOARROW_TYPE_FIXED_SIZE_BINARY},
    {TypeId::kDate, NANOARROW_TYPE_DATE32},
    {TypeId::kDate, NANOARROW_TYPE_DATE64},
    {TypeId::kYearMonthInterval, NANOARROW_TYPE_INTERVAL_MONTHS},
    {TypeId::kCalendarInterval, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO},
    {TypeId::kDayTimeInterval, NANOARROW_TYPE_DURATION},
};

Status check(int code, const char* what) {
  return code == NANOARROW_OK ? Status()
                              : internal_error(std::string("cannot make an Arrow schema: ") + what);
}

Status write_field(const std::string& name, const DataType& type, bool nullable, const std::string& time_zone,
                   ArrowSchema* out);

Status write_fields(const types::Schema& fields, const std::string& time_zone, ArrowSchema* out) {
  RETURN_IF_ERROR(check(ArrowSchemaSetTypeStruct(out, static_cast<int64_t>(fields.size())), "struct"));
  for (size_t i = 0; i < fields.size(); ++i) {
    RETURN_IF_ERROR(
        write_field(fields[i].name, fields[i].type, fields[i].nullable, time_zone, out->children[i]));
  }
  return Status();
}

Status write_map(const DataType& type, const std::string& time_zone, ArrowSchema* out) {
  RETURN_IF_ERROR(check(ArrowSchemaSetType(out, NANOARROW_TYPE_MAP), "map"));
  ArrowSchema* entries = out->children[0];
  RETURN_IF_ERROR(check(ArrowSchemaSetName(entries, "entries"), "name"));
  entries->flags &= ~ARROW_FLAG_NULLABLE;
  for (int i = 0; i < 2; ++i) {
    if (entries->children[i]->release != nullptr) entries->children[i]->release(entries->children[i]);
    ArrowSchemaInit(entries->children[i]);
  }
  RETURN_IF_ERROR(write_field("key", type.key(), false, time_zone, entries->children[0]));
  return write_field("value", type.value(), type.contains_null(), time_zone, entries->children[1]);
}

Status write_type(const DataType& type, const std::string& time_zone, ArrowSchema* out) {
  switch (type.id()) {
    case TypeId::kDecimal:
      return check(ArrowSchemaSetTypeDecimal(out, NANOARROW_TYPE_DECIMAL128, type.precision(), type.scale()),
                   "decimal");
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz:
      return check(ArrowSchemaSetTypeDateTime(out, NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO,
                                              type.is(TypeId::kTimestamp) ? time_zone.c_str() : nullptr),
                   "timestamp");
    case TypeId::kDayTimeInterval:
      return check(
          ArrowSchemaSetTypeDateTime(out, NANOARROW_TYPE_DURATION, NANOARROW_TIME_UNIT_MICRO, nullptr),
          "duration");
    case TypeId::kArray:
      RETURN_IF_ERROR(check(ArrowSchemaSetType(out, NANOARROW_TYPE_LIST), "list"));
      return write_field("element", type.element(), type.contains_null(), time_zone, out->children[0]);
    case TypeId::kMap: return write_map(type, time_zone, out);
    case TypeId::kStruct: return write_fields(type.fields(), time_zone, out);
    default: break;
  }
  for (const TypePair& pair : kPlainTypes) {
    if (pair.spark == type.id()) return check(ArrowSchemaSetType(out, pair.arrow), "type");
  }
  return internal_error("no Arrow type for " + type.sql());
}

Status write_field(const std::string& name, const DataType& type, bool nullable, const std::string& time_zone,
                   ArrowSchema* out) {
  if (out->release == nullptr) ArrowSchemaInit(out);
  RETURN_IF_ERROR(write_type(type, time_zone, out));
  RETURN_IF_ERROR(check(ArrowSchemaSetName(out, name.c_str()), "name"));
  if (nullable) {
    out->flags |= ARROW_FLAG_NULLABLE;
  } else {
    out->flags &= ~ARROW_FLAG_NULLABLE;
  }
  return Status();
}

Result<types::Schema> read_fields(const ArrowSchema& schema) {
  types::Schema fields;
  for (int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& child = *schema.children[i];
    ASSIGN_OR_RETURN(DataType type, from_arrow(child));
    fields.push_back({child.name == nullptr ? "" : child.name, std::move(type),
                      (child.flags & ARROW_FLAG_NULLABLE) != 0, ""});
  }
  return fields;
}

bool child_nullable(const ArrowSchema& child) { return (child.flags & ARROW_FLAG_NULLABLE) != 0; }

Status unsupported_arrow_type(const ArrowSchema& field) {
  char text[256];
  ArrowSchemaToString(&field, text, sizeof(text), false);
  return unsupported(std::string("the Arrow type ") + text);
}

}  // namespace

Status to_arrow(const types::Schema& schema, Layout layout, const std::string& time_zone, ArrowSchema* out) {
  ArrowSchemaInit(out);
  Status status;
  if (layout == Layout::kStructColumn) {
    // A null row never occurs, but readers take the column for nullable as Spark writes it.
    status = write_fields({{"struct", DataType::structure(schema), false, ""}}, time_zone, out);
  } else {
    status = write_fields(schema, time_zone, out);
  }
  if (!status.ok()) {
    out->release(out);
    return status;
  }
  out->flags = 0;
  return Status();
}

Result<DataType> from_arrow(const ArrowSchema& field) {
  ArrowSchemaView view;
  if (ArrowSchemaViewInit(&view, &field, nullptr) != NANOARROW_OK) return unsupported_arrow_type(field);
  switch (view.type) {
    case NANOARROW_TYPE_DECIMAL32:
    case NANOARROW_TYPE_DECIMAL64:
    case NANOARROW_TYPE_DECIMAL128:
      if (view.decimal_precision < 1 || view.decimal_precision > 38 || view.decimal_scale < 0 ||
          view.decimal_scale > view.decimal_precision) {
        return unsupported_arrow_type(field);
      }
      return DataType::decimal(view.decimal_precision, view.decimal_scale);
    case NANOARROW_TYPE_TIMESTAMP:
      return DataType(view.timezone == nullptr || view.timezone[0] == '\0' ? TypeId::kTimestampNtz
                                                                           : TypeId::kTimestamp);
    case NANOARROW_TYPE_DURATION: return DataType::day_time_interval();
    case NANOARROW_TYPE_INTERVAL_MONTHS: return DataType::year_month_interval();
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST: {
      ASSIGN_OR_RETURN(DataType element, from_arrow(*field.children[0]));
      return DataType::array(std::move(element), child_nullable(*field.children[0]));
    }
    case NANOARROW_TYPE_MAP: {
      const ArrowSchema& entries = *field.children[0];
      if (entries.n_children != 2) return unsupported_arrow_type(field);
      ASSIGN_OR_RETURN(DataType key, from_arrow(*entries.children[0]));
      ASSIGN_OR_RETURN(DataType value, from_arrow(*entries.children[1]));
      return DataType::map(std::move(key), std::move(value), child_nullable(*entries.children[1]));
    }
    case NANOARROW_TYPE_STRUCT: {
      ASSIGN_OR_RETURN(types::Schema fields, read_fields(field));
      return DataType::structure(std::move(fields));
    }
    default: break;
  }
  for (const TypePair& pair : kPlainTypes) {
    if (pair.arrow == view.type) return DataType(pair.spark);
  }
  return unsupported_arrow_type(field);
}

Result<types::Schema> schema_of_stream(std::string_view stream) {
  ASSIGN_OR_RETURN(const StreamReader reader, StreamReader::open(stream));
  return read_fields(reader.schema());
}

}  // namespace deuteron::exchange
