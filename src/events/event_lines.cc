#include "events/event_lines.h"

#include <algorithm>
#include <memory>

namespace deuteron::events {
namespace {

std::string counted(int64_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string seconds(int64_t milliseconds) {
  return std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds % 1000 / 100) + " s";
}

std::vector<std::string> lines_in(const std::string& text) {
  constexpr size_t kMostLines = 200;
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (lines.size() == kMostLines) {
      lines.emplace_back("… (more lines)");
      break;
    }
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Of an error that was told before, in full.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

std::vector<LogLine> EventLines::lines_of(const Event& event) {
  LogOrigin origin{.source = "engine"};
  const std::string text = text_of(event.body, origin);
  std::vector<LogLine> lines;
  if (text.empty()) return lines;
  const auto shared = std::make_shared<const LogOrigin>(std::move(origin));
  for (std::string& line : lines_in(text)) lines.push_back({event.time_micros, shared, std::move(line)});
  return lines;
}

void EventLines::place(int64_t stage, int64_t attempt, int64_t rank, LogOrigin& origin) const {
  origin.stage = stage;
  origin.attempt = attempt;
  origin.rank = rank;
  const auto found = stages_.find(stage);
  if (found == stages_.end()) return;
  const auto job = jobs_.find(found->second.job);
  if (job == jobs_.end()) return;
  origin.session = job->second.session;
  origin.operation = job->second.operation;
}

std::string EventLines::text_of(const EventBody& body, LogOrigin& origin) {
  if (const auto* job = std::get_if<JobStarted>(&body)) {
    jobs_[job->job] = {job->session, job->operation};
  } else if (const auto* stage = std::get_if<StageSubmitted>(&body)) {
    stages_[stage->stage] = {stage->job, stage->kind == "gang", stage->name};
  } else if (const auto* waits = std::get_if<GangWaits>(&body)) {
    place(waits->stage, -1, -1, origin);
    std::string text = "the gang waits";
    if (waits->position > 0)
      text += " at position " + std::to_string(waits->position) + " of the pool " + waits->pool;
    text += ": " + waits->reason;
    if (waits->expected_ms >= 0) text += "; expected to start in " + seconds(waits->expected_ms);
    return text;
  } else if (const auto* started = std::get_if<GangAttemptStarted>(&body)) {
    place(started->stage, started->attempt, -1, origin);
    const auto found = stages_.find(started->stage);
    const std::string name = found == stages_.end() ? "" : " " + found->second.name;
    if (found != stages_.end()) found->second.attempt = started->attempt;
    return "the gang" + name + " of " + counted(started->ranks, "rank") +
           (started->attempt == 0 ? " starts" : " starts again");
  } else if (const auto* failed = std::get_if<GangAttemptFailed>(&body)) {
    place(failed->stage, failed->attempt, failed->rank, origin);
    return "the attempt has failed: " + failed->error;
  } else if (const auto* notice = std::get_if<GangNotice>(&body)) {
    place(notice->stage, notice->attempt, -1, origin);
    const std::string stage = std::to_string(notice->by);
    return notice->notice_ms < 0 ? "the attempt goes on: stage " + stage + " needs its slots no longer"
                                 : "the attempt will end in " + seconds(notice->notice_ms) +
                                       " to make way for stage " + stage + ", whose priority is higher";
  } else if (const auto* preempted = std::get_if<GangPreempted>(&body)) {
    place(preempted->stage, preempted->attempt, preempted->rank, origin);
    return "the attempt makes way for stage " + std::to_string(preempted->by) +
           (preempted->error.empty() ? "" : " and has failed meanwhile: " + preempted->error);
  } else if (const auto* lost = std::get_if<InputLost>(&body)) {
    place(lost->stage, lost->attempt, lost->partition, origin);
    return "what it was to read is lost: " + lost->error;
  } else if (const auto* lost = std::get_if<OutputLost>(&body)) {
    origin.session = lost->session;
    origin.operation = lost->operation;
    return "what " + lost->name + " has left for partition " + lost->partitions + " is lost: " + lost->reason;
  } else if (const auto* made = std::get_if<OutputMadeAgain>(&body)) {
    origin.session = made->session;
    origin.operation = made->operation;
    return "what " + made->name + " has left for partition " + made->partitions + " was made again" +
           (made->same ? "" : ", and is not what it was");
  } else if (const auto* broken = std::get_if<BarrierFailed>(&body)) {
    place(broken->stage, broken->attempt, -1, origin);
    return "barrier " + std::to_string(broken->epoch) + " breaks: " + first_line(broken->error);
  } else if (const auto* missing = std::get_if<RanksMissing>(&body)) {
    place(missing->stage, missing->attempt, -1, origin);
    return "others wait at barrier " + std::to_string(missing->epoch) + " since " +
           seconds(missing->waited_ms) + " for rank " + missing->ranks + " (policy: " + missing->policy + ")";
  } else if (const auto* stall = std::get_if<NoProgress>(&body)) {
    place(stall->stage, stall->attempt, -1, origin);
    return "no progress since " + seconds(stall->idle_ms) + ": rank " + stall->ranks +
           " neither computes nor comes to a barrier (policy: " + stall->policy + ")";
  } else if (const auto* stacks = std::get_if<RankStacks>(&body)) {
    place(stacks->stage, stacks->attempt, stacks->rank, origin);
    return (stacks->missing ? "keeps others waiting, " : "waits, ") + stacks->state + ":\n" +
           (stacks->stacks.empty() ? "it did not show its stack" : stacks->stacks);
  } else if (const auto* task = std::get_if<TaskFinished>(&body)) {
    const auto found = stages_.find(task->stage);
    if (task->error.empty() || found == stages_.end() || found->second.is_gang) return "";  // see above
    place(task->stage, task->attempt, task->partition, origin);
    return "the task has failed: " + task->error;
  } else if (const auto* stage = std::get_if<StageFinished>(&body)) {
    const auto found = stages_.find(stage->stage);
    if (found == stages_.end()) return "";
    place(stage->stage, found->second.attempt, -1, origin);
    const bool is_gang = found->second.is_gang;
    stages_.erase(found);
    if (!is_gang) return "";
    return stage->error.empty() ? "the gang has ended well"
                                : "the gang has failed: " + first_line(stage->error);
  } else if (const auto* operation = std::get_if<OperationFinished>(&body)) {
    std::erase_if(jobs_, [&](const auto& job) { return job.second.operation == operation->operation; });
    if (operation->error.empty()) return "";
    origin.session = operation->session;
    origin.operation = operation->operation;
    return "the operation has failed: " + first_line(operation->error);
  }
  return "";
}

void tell_events(Bus& bus, ServerLog& log) {
  bus.subscribe([&log, lines = std::make_shared<EventLines>()](const Event& event) {
    for (LogLine& line : lines->lines_of(event)) log.append(std::move(line));
  });
}

}  // namespace deuteron::events
