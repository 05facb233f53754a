#include "session/python_logs.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace deuteron::session {
namespace {

using nlohmann::json;
using types::DataType;
using types::TypeId;
using types::Value;

DataType text_type() { return DataType(TypeId::kString); }

types::StructField text_field(const char* name) { return {name, text_type(), true, ""}; }

types::Schema schema() {
  const DataType frame = DataType::structure(
      {text_field("class"), text_field("method"), text_field("file"), text_field("line")});
  const DataType exception = DataType::structure(
      {text_field("class"), text_field("msg"), {"stacktrace", DataType::array(frame, true), true, ""}});
  return {{"ts", DataType(TypeId::kTimestamp), true, ""},
          text_field("level"),
          text_field("msg"),
          {"context", DataType::map(text_type(), text_type(), true), true, ""},
          {"exception", exception, true, ""},
          text_field("logger")};
}

Value text(const json& value) {
  if (value.is_null()) return Value();
  if (value.is_string()) return Value(value.get<std::string>());
  return Value(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

Value text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? Value() : text(*found);
}

// "2026-01-02 03:04:05.678901+0000".
Value timestamp_of(const json& object) {
  const auto found = object.find("ts");
  if (found == object.end() || !found->is_string()) return Value();
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0, zone = 0;
  char sign = '+';
  const int parts =
      std::sscanf(found->get_ref<const std::string&>().c_str(), "%4d-%2d-%2d %2d:%2d:%2d.%6d%c%4d", &year,
                  &month, &day, &hour, &minute, &second, &micros, &sign, &zone);
  if (parts < 7) return Value();
  const int64_t offset = (zone / 100 * 60 + zone % 100) * (sign == '-' ? -60 : 60);
  const int64_t seconds =
      types::days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
  return Value(seconds * 1'000'000 + micros);
}

Value context_of(const json& record) {
  const auto found = record.find("context");
  if (found == record.end() || !found->is_object()) return Value();
  types::MapEntries entries;
  for (const auto& [key, value] : found->items()) {
    entries.keys.push_back(Value(std::string(key)));
    entries.values.push_back(text(value));
  }
  return Value(std::move(entries));
}

Value stack_of(const json& exception) {
  const auto found = exception.find("stacktrace");
  if (found == exception.end() || !found->is_array()) return Value();
  std::vector<Value> frames;
  for (const json& frame : *found) {
    if (!frame.is_object()) continue;
    frames.push_back(Value(std::vector<Value>{text_of(frame, "class"), text_of(frame, "method"),
                                              text_of(frame, "file"), text_of(frame, "line")}));
  }
  return Value(std::move(frames));
}

Value exception_of(const json& record) {
  const auto found = record.find("exception");
  if (found == record.end() || !found->is_object()) return Value();
  return Value(std::vector<Value>{text_of(*found, "class"), text_of(*found, "msg"), stack_of(*found)});
}

}  // namespace

Rows python_log_rows(const std::vector<std::string>& records) {
  Rows rows{schema(), {}};
  for (const std::string& text : records) {
    json record = json::parse(text, nullptr, false);
    if (!record.is_object()) record = json::object();
    rows.rows.push_back({timestamp_of(record), text_of(record, "level"), text_of(record, "msg"),
                         context_of(record), exception_of(record), text_of(record, "logger")});
  }
  return rows;
}

}  // namespace deuteron::session
