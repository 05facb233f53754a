// The event log: every event as a line of JSON in <directory>/events-<process id>-<start micros>.jsonl,
// readable by its owner only. Written on the bus' thread; a disk that is full or gone is told once in the
// server's log and ends the event log, nothing else.
#pragma once

#include <string>

#include "base/status.h"
#include "events/bus.h"

namespace deuteron::events {

// Makes the folder if needed and subscribes. The file stays open as long as the bus lives. Returns the file's
// path.
Result<std::string> write_event_log(const std::string& directory, Bus& bus);

}  // namespace deuteron::events
