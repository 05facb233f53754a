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

}  // namespace deuteron::execution
