// What the server's log says of events: gangs that wait, start, fail and start again, barriers that break or
// that ranks are missing at, tasks and operations that fail. What goes well and is frequent is not told.
// Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "events/bus.h"
#include "events/server_log.h"

namespace deuteron::events {

class EventLines {
 public:
  // None, one, or several for a text of several lines.
  std::vector<LogLine> lines_of(const Event& event);

 private:
  struct Job {
    std::string session;
    std::string operation;
  };
  struct Stage {
    int64_t job = 0;
    bool is_gang = false;
    std::string name;
    int64_t attempt = -1;
  };
  std::string text_of(const EventBody& body, LogOrigin& origin);
  void place(int64_t stage, int64_t attempt, int64_t rank, LogOrigin& origin) const;

  std::map<int64_t, Job> jobs_;
  std::map<int64_t, Stage> stages_;
};

// From now on the log, which outlives the bus, has the lines of the bus' events.
void tell_events(Bus& bus, ServerLog& log);

}  // namespace deuteron::events
