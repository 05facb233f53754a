#include "events/event.h"

#include <nlohmann/json.hpp>

namespace deuteron::events {
namespace {

using Json = nlohmann::ordered_json;

void add_body(Json&, const std::monostate&) {}

#define FIELD(type, name) json[#name] = body.name;
#define EVENT(Name, ...)                        \
  void add_body(Json& json, const Name& body) { \
    json["event"] = #Name;                      \
    __VA_ARGS__                                 \
  }
#include "events/event_list.inc"
#undef EVENT
#undef FIELD

}  // namespace

std::string to_json(const Event& event) {
  Json json;
  json["sequence"] = event.sequence;
  json["time"] = event.time_micros;
  std::visit([&json](const auto& body) { add_body(json, body); }, event.body);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace deuteron::events
