#include "execution/pickled_call.h"

namespace deuteron::execution {
namespace {

std::string little_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((value >> shift) & 0xFF);
  return bytes;
}

}  // namespace

// Opcodes as the module pickletools of Python lists them.
Pickler::Pickler() : out_("\x80\x04", 2) {}
void Pickler::text(std::string_view value) {
  (out_ += 'X') += little_endian(static_cast<uint32_t>(value.size())), out_ += value;
}
void Pickler::bytes(std::string_view value) {
  (out_ += 'B') += little_endian(static_cast<uint32_t>(value.size())), out_ += value;
}
void Pickler::integer(int32_t value) { (out_ += 'J') += little_endian(static_cast<uint32_t>(value)); }
void Pickler::name(const std::string& module, const std::string& function) {
  out_ += "c" + module + "\n" + function + "\n";
}
void Pickler::begin() { out_ += '('; }
void Pickler::end_tuple() { out_ += 't'; }
void Pickler::end_list() { out_ += 'l'; }
void Pickler::call() { out_ += 'R'; }
std::string Pickler::take() { return std::move(out_) + "."; }

std::string pickle_row_functions(const std::vector<RowFunction>& functions, const std::string& input_type,
                                 const std::string& output_type) {
  Pickler pickler;
  pickler.begin();
  pickler.name("deuteron.worker.row_functions", "RowFunctions");
  pickler.begin();
  pickler.begin();
  for (const RowFunction& function : functions) {
    pickler.begin();
    pickler.bytes(function.command);
    pickler.begin();
    for (const int32_t column : function.columns) pickler.integer(column);
    pickler.end_list();
    pickler.begin();
    for (const std::string& name : function.names) pickler.text(name);
    pickler.end_list();
    pickler.end_list();
  }
  pickler.end_list();
  pickler.text(input_type);
  pickler.end_tuple();
  pickler.call();
  pickler.name("pyspark.sql.types", "_parse_datatype_json_string");
  pickler.begin();
  pickler.text(output_type);
  pickler.end_tuple();
  pickler.call();
  pickler.end_tuple();
  return pickler.take();
}

std::string pickle_table_function(const plan::resolved::PythonFunction& function, const types::Schema& input,
                                  const std::map<std::string, std::string>& settings) {
  const plan::resolved::TableFunctionCall& call = *function.table_call;
  Pickler pickler;
  const auto texts = [&pickler](const plan::Names& values) {
    pickler.begin();
    for (const std::string& value : values) pickler.text(value);
    pickler.end_list();
  };
  const auto integers = [&pickler](const auto& values) {
    pickler.begin();
    for (const auto value : values) pickler.integer(static_cast<int32_t>(value));
    pickler.end_list();
  };
  pickler.begin();
  pickler.name("deuteron.worker.table_functions", call.is_analysis ? "TableAnalysis" : "TableFunction");
  pickler.begin();
  pickler.integer(function.eval_type);
  pickler.text(function.name);
  pickler.bytes(function.command);
  pickler.text(function.type.json());
  pickler.text(types::DataType::structure(input).json());
  pickler.integer(call.kept);
  texts(call.argument_names);
  pickler.integer(call.table_argument);
  texts(call.table_columns);
  integers(call.partition_columns);
  integers(call.constants);
  pickler.text(call.analyzed);
  pickler.begin();
  for (const auto& [key, value] : settings) texts({key, value});
  pickler.end_list();
  pickler.end_tuple();
  pickler.call();
  pickler.name("pyspark.sql.types", "_parse_datatype_json_string");
  pickler.begin();
  pickler.text("\"void\"");  // mapInArrow does not look at it
  pickler.end_tuple();
  pickler.call();
  pickler.end_tuple();
  return pickler.take();
}

}  // namespace deuteron::execution
