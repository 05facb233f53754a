#include "session/python_logs.h"

#include <gtest/gtest.h>

namespace deuteron::session {
namespace {

using types::Value;

TEST(PythonLogs, ReadsARecord) {
  const Rows rows = python_log_rows(
      {R"({"ts": "1970-01-02 00:00:01.000002+0100", "level": "ERROR", "logger": "mine", "msg": "x",)"
       R"( "context": {"func_name": "f", "n": 1}, "exception": {"class": "ValueError", "msg": "no",)"
       R"( "stacktrace": [{"class": null, "method": "f", "file": "a.py", "line": "3"}]}})"});
  ASSERT_EQ(rows.rows.size(), 1U);
  const auto& row = rows.rows[0];
  EXPECT_EQ(row[0], Value(int64_t{82'801'000'002}));
  EXPECT_EQ(row[1], Value(std::string("ERROR")));
  const auto& context = std::get<types::MapEntries>(row[3].data);
  EXPECT_EQ(context.keys[1], Value(std::string("n")));
  EXPECT_EQ(context.values[1], Value(std::string("1")));
  const auto& exception = std::get<std::vector<Value>>(row[4].data);
  const auto& frames = std::get<std::vector<Value>>(exception[2].data);
  const auto& frame = std::get<std::vector<Value>>(frames[0].data);
  EXPECT_TRUE(frame[0].is_null());
  EXPECT_EQ(frame[3], Value(std::string("3")));
}

TEST(PythonLogs, WhatIsMissingOrOtherwiseIsNull) {
  for (const char* text : {"", "{", "3", "[]", "{}", R"({"ts": "today", "context": 1, "exception": []})"}) {
    const Rows rows = python_log_rows({text});
    ASSERT_EQ(rows.rows.size(), 1U) << text;
    for (const Value& value : rows.rows[0]) EXPECT_TRUE(value.is_null()) << text;
  }
}

}  // namespace
}  // namespace deuteron::session
