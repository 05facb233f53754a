#include "execution/python_reports.h"

#include <gtest/gtest.h>

namespace deuteron::execution {
namespace {

TEST(PythonReports, GivesUpdatesOnce) {
  PythonReports reports;
  reports.add_updates({"a", "b"});
  reports.add_updates({"c"});
  EXPECT_EQ(reports.take_updates(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(reports.take_updates().empty());
}

TEST(PythonReports, DropsUpdatesBeyondTheBoundUntilTheyAreTaken) {
  PythonReports reports;
  const std::string large(PythonReports::kUpdateBytes - 1, 'x');
  reports.add_updates({large, "ab", "c"});
  EXPECT_EQ(reports.take_updates().size(), 2U);
  reports.add_updates({"ab"});
  EXPECT_EQ(reports.take_updates(), std::vector<std::string>{"ab"});
}

TEST(PythonReports, KeepsTheLatestLogRecords) {
  PythonReports reports;
  for (size_t i = 0; i < PythonReports::kLogRecords + 2; ++i) reports.add_log_record(std::to_string(i));
  EXPECT_EQ(reports.log_records().size(), PythonReports::kLogRecords);
  EXPECT_EQ(reports.log_records().front(), "2");
}

}  // namespace
}  // namespace deuteron::execution
