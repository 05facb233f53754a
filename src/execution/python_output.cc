#include "execution/python_output.h"

#include "exchange/arrow_schema.h"
#include "exchange/integrity.h"

namespace deuteron::execution {
namespace {

using worker_pool::TaskResult;

// What Spark calls to read a value of a type; its error for a column of another type names it.
std::string reader_of(const types::DataType& type) {
  switch (type.id()) {
    case types::TypeId::kBoolean: return "getBoolean";
    case types::TypeId::kByte: return "getByte";
    case types::TypeId::kShort: return "getShort";
    case types::TypeId::kInteger:
    case types::TypeId::kDate:
    case types::TypeId::kYearMonthInterval: return "getInt";
    case types::TypeId::kFloat: return "getFloat";
    case types::TypeId::kDouble: return "getDouble";
    case types::TypeId::kDecimal: return "getDecimal";
    case types::TypeId::kString: return "getUTF8String";
    case types::TypeId::kBinary: return "getBinary";
    case types::TypeId::kArray: return "getArray";
    case types::TypeId::kMap: return "getMap";
    case types::TypeId::kStruct: return "getStruct";
    default: return "getLong";
  }
}

Status wrong_type(const types::StructField& declared, const std::string& found) {
  const Status plain =
      error("UNSUPPORTED_CALL.WITHOUT_SUGGESTION",
            {{"methodName", reader_of(declared.type)},
             {"className", "org.apache.spark.sql.vectorized.ArrowColumnVector$ArrowVectorAccessor"}});
  ErrorDetail detail = plain.detail();
  detail.message += " The Python function was declared to return " + declared.name + " as " +
                    declared.type.simple_string() + ", and returned " + found + ".";
  return Status(std::move(detail));
}

// Spark reads columns by position, ignores those beyond the declared ones, and fails at the first value of
// another type.
Status check_types(const types::Schema& declared, exchange::Layout layout, const exchange::Region& region) {
  ASSIGN_OR_RETURN(const std::string_view bytes, region.bytes());
  ASSIGN_OR_RETURN(types::Schema found, exchange::schema_of_stream(bytes));
  if (layout == exchange::Layout::kStructColumn) {
    if (found.size() != 1 || !found[0].type.is(types::TypeId::kStruct))
      return internal_error("a worker's output is no struct column");
    found = types::Schema(found[0].type.fields());
  }
  for (size_t index = 0; index < declared.size(); ++index) {
    if (index >= found.size()) return wrong_type(declared[index], "no such column");
    if (!declared[index].type.same_type(found[index].type))
      return wrong_type(declared[index], found[index].type.simple_string());
  }
  return Status();
}

}  // namespace

std::vector<exchange::ColumnGroup> output_groups(const PythonStage& stage) {
  std::vector<exchange::ColumnGroup> groups;
  const auto& sent = stage.request.groups;
  for (size_t index = stage.first_kept_group.value_or(sent.size()); index < sent.size(); ++index) {
    types::Schema schema;
    for (const int32_t column : sent[index].columns) {
      const plan::resolved::Column& from = stage.input->output[static_cast<size_t>(column)];
      const bool is_named = schema.size() < sent[index].names.size();
      schema.push_back({is_named ? sent[index].names[schema.size()] : from.name, from.type, from.nullable,
                        from.metadata_json});
    }
    groups.push_back({std::move(schema), sent[index].layout});
  }
  groups.push_back(stage.output);
  return groups;
}

Result<exchange::Stream> stream_of(const exchange::ColumnGroup& declared, const PythonOutput* output) {
  exchange::Stream stream;
  if (output == nullptr || output->kind == TaskResult::Kind::kNone) {
    stream.rows = 0;
    return stream;
  }
  stream = output->data;
  const Status status = check_types(declared.schema, declared.layout, stream.region);
  // What is lost already is made again when somebody reads it, and then looked at again.
  if (!status.ok() && exchange::verify(stream).ok()) return status;
  return stream;
}

}  // namespace deuteron::execution
