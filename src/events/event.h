// Typed events: what happened to operations, stages, tasks, gangs and workers. They are told when it has
// happened, never to make something happen; the UI and the event log need no other source. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace deuteron::events {

#define FIELD(type, name) type name{};
#define EVENT(Name, ...) \
  struct Name {          \
    __VA_ARGS__          \
  };
#include "events/event_list.inc"
#undef EVENT
#undef FIELD

#define FIELD(type, name)
#define EVENT(Name, ...) , Name
using EventBody = std::variant<std::monostate
#include "events/event_list.inc"
                               >;
#undef EVENT
#undef FIELD

struct Event {
  int64_t sequence = 0;     // counted by the bus from 1, without gaps unless events were dropped
  int64_t time_micros = 0;  // wall clock, since the epoch
  EventBody body;
};

// One line of JSON without the line end: {"sequence":…,"time":…,"event":"TaskStarted","stage":…}. Invalid
// UTF-8 is replaced.
std::string to_json(const Event& event);

}  // namespace deuteron::events
