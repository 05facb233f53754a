// tests/golden/sql/*.test: text -> the tree that it parses to, or its error. DEUTERON_UPDATE_GOLDEN=1 writes
// the files anew.
//
// A case is its input, a line `----`, and the output; cases are parted by a line `====`. A first line
// `[expression]`,
// `[type]`, `[schema]` or `[name]` says what to parse; without one it is a statement.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sql/parser.h"

namespace deuteron::sql {
namespace {

constexpr const char* kFolder = "tests/golden/sql";

std::string show_error(const Status& status) {
  std::string text = "ERROR " + status.to_string() + "\n";
  for (const auto& [name, value] : status.detail().parameters) text += "  " + name + ": " + value + "\n";
  for (const QueryContext& context : status.detail().contexts) {
    if (context.start_index < 0) {
      text += "  at " + context.summary.substr(0, context.summary.find('\n')) + "\n";
      continue;
    }
    text += "  at " + std::to_string(context.start_index) + ".." + std::to_string(context.stop_index) + ": " +
            context.fragment + "\n";
  }
  return text;
}

std::string show(const Result<plan::unresolved::Statement>& result) {
  if (!result.ok()) return show_error(result.status());
  if (const auto* relation = std::get_if<plan::unresolved::RelationPtr>(&*result)) {
    return plan::unresolved::to_string(*relation);
  }
  return plan::unresolved::to_string(std::get<plan::unresolved::Command>(*result));
}

std::string show_schema(const Result<types::Schema>& result) {
  if (!result.ok()) return show_error(result.status());
  return types::DataType::structure(*result).json() + "\n";
}

std::string answer(const std::string& kind, const std::string& text) {
  if (kind == "[expression]") {
    const auto result = parse_expression(text);
    return result.ok() ? plan::unresolved::to_string(*result) : show_error(result.status());
  }
  if (kind == "[type]") {
    const auto result = parse_data_type(text);
    return result.ok() ? result->json() + "\n" : show_error(result.status());
  }
  if (kind == "[schema]") return show_schema(parse_schema(text));
  if (kind == "[name]") {
    const auto result = parse_name(text);
    if (!result.ok()) return show_error(result.status());
    std::string shown;
    for (const std::string& part : *result) shown += "<" + part + ">";
    return shown + "\n";
  }
  return show(parse_statement(text));
}

struct Case {
  std::string kind;
  std::string input;
  std::string expected;
};

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases(1);
  bool in_output = false;
  for (std::string line; std::getline(file, line);) {
    if (line == "====") {
      cases.emplace_back();
      in_output = false;
    } else if (line == "----" && !in_output) {
      in_output = true;
    } else if (in_output) {
      cases.back().expected += line + "\n";
    } else if (cases.back().input.empty() && cases.back().kind.empty() && line.starts_with("[") &&
               line.ends_with("]")) {
      cases.back().kind = line;
    } else {
      cases.back().input += (cases.back().input.empty() ? "" : "\n") + line;
    }
  }
  return cases;
}

void write_cases(const std::filesystem::path& path, const std::vector<Case>& cases) {
  std::ofstream file(path);
  for (size_t i = 0; i < cases.size(); ++i) {
    if (i > 0) file << "====\n";
    if (!cases[i].kind.empty()) file << cases[i].kind << "\n";
    file << cases[i].input << "\n----\n" << answer(cases[i].kind, cases[i].input);
  }
}

TEST(Golden, EveryCaseParsesAsWritten) {
  const bool update = std::getenv("DEUTERON_UPDATE_GOLDEN") != nullptr;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".test") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ASSERT_FALSE(paths.empty());
  for (const auto& path : paths) {
    const std::vector<Case> cases = read_cases(path);
    if (update) {
      write_cases(path, cases);
      continue;
    }
    for (const Case& one : cases) {
      EXPECT_EQ(one.expected, answer(one.kind, one.input)) << path << ": " << one.input;
    }
  }
}

}  // namespace
}  // namespace deuteron::sql
