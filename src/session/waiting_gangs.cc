#include "session/waiting_gangs.h"

namespace deuteron::session {
namespace {

using types::DataType;
using types::TypeId;
using types::Value;

types::Schema schema() {
  const DataType text(TypeId::kString), number(TypeId::kLong);
  return {{"operation_id", text, false, ""}, {"stage", number, false, ""},
          {"pool", text, false, ""},         {"position", number, true, ""},
          {"reason", text, false, ""},       {"expected_start", DataType(TypeId::kTimestamp), true, ""}};
}

}  // namespace

Rows waiting_gang_rows(const std::vector<execution::WaitingGang>& gangs, int64_t now_micros) {
  Rows rows{schema(), {}};
  for (const execution::WaitingGang& gang : gangs) {
    const auto expected = gang.expected.has_value() ? Value(now_micros + gang.expected->count()) : Value();
    rows.rows.push_back({Value(gang.operation_id), Value(gang.stage), Value(gang.pool),
                         gang.position > 0 ? Value(gang.position) : Value(), Value(gang.reason), expected});
  }
  return rows;
}

}  // namespace deuteron::session
