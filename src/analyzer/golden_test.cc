// Runs tests/golden/analyzer/*.test: SQL text -> the resolved plan, or the error. DEUTERON_UPDATE_GOLDEN=1
// rewrites the files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "analyzer/analyzer.h"
#include "sql/parser.h"

namespace deuteron::analyzer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "tests/golden/analyzer";
constexpr const char* kSeparator = "----";

// Tables of the tests, declared in the files: @table name(a INT, …).
class TestCatalog : public catalog::CatalogView, public catalog::FileSchemaReader {
 public:
  std::map<std::string, types::Schema> tables;
  std::map<std::string, catalog::View> views;

  std::optional<catalog::View> find_view(const plan::Names& name) const override {
    std::string key = name.back();
    std::transform(key.begin(), key.end(), key.begin(), ::tolower);
    if (const auto view = views.find(key); view != views.end()) return view->second;
    if (!tables.contains(key)) return std::nullopt;
    plan::unresolved::DataSource source;
    source.format = "parquet";
    source.paths = {key};
    return catalog::View{nullptr, plan::unresolved::make_relation(source), {}};
  }
  plan::unresolved::ExpressionPtr find_function(const std::string& name) const override {
    if (name != "py" && name != "py2") return nullptr;
    plan::unresolved::PythonCall call;
    call.name = name;
    call.eval_type = 100;
    call.deterministic = true;
    call.command = name;
    call.type = types::DataType(types::TypeId::kLong);
    return plan::unresolved::make_expression(call);
  }
  plan::Bytes find_cached_artifact(const std::string&) const override { return nullptr; }
  catalog::FileSchemaReader& files() const override { return const_cast<TestCatalog&>(*this); }
  Result<catalog::FileSource> describe(const std::string&, const plan::Names& paths, const plan::Options&,
                                       const types::Schema&) override {
    return catalog::FileSource{{"/" + paths[0]}, tables.at(paths[0]), {}};
  }
};

std::string describe_error(const Status& status) {
  std::string text = "! " + status.condition() + "\n";
  for (const auto& [name, value] : status.detail().parameters) text += "!   " + name + " = " + value + "\n";
  for (const QueryContext& context : status.detail().contexts) {
    text +=
        "!   at " + std::to_string(context.start_index) + ".." + std::to_string(context.stop_index) + "\n";
  }
  return text;
}

std::string columns_of(const plan::resolved::Columns& columns) {
  std::string text;
  for (const plan::resolved::Column& column : columns) {
    text +=
        ": " + column.name + " " + column.type.simple_string() + (column.nullable ? "" : " not null") + "\n";
  }
  return text;
}

std::string answer(const std::string& query, const TestCatalog& catalog, bool columns_only) {
  Settings settings;
  settings.default_parallelism = 2;
  settings.shuffle_partitions = 4;
  plan::unresolved::Sql sql;
  sql.text = query;
  const auto result = analyze(plan::unresolved::make_relation(sql), settings, catalog);
  if (!result.ok()) return describe_error(result.status());
  return columns_only ? columns_of((*result)->output) : plan::resolved::to_string(*result);
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \n");
  const size_t last = text.find_last_not_of(" \n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

// A file is a list of blocks: the query, "----", the answer, an empty line. Lines "@table name(schema)"
// declare tables; after "@columns" the answer is the columns alone, after "@plan" the whole plan again.
std::string run_file(const fs::path& path, std::string& expected) {
  std::ifstream stream(path);
  std::stringstream buffer;
  buffer << stream.rdbuf();
  expected = buffer.str();
  std::istringstream lines(expected);
  TestCatalog catalog;
  std::string actual;
  std::string query;
  bool in_answer = false;
  bool columns_only = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("@table ")) {
      const size_t open = line.find('(');
      const auto schema = sql::parse_schema(line.substr(open + 1, line.rfind(')') - open - 1));
      EXPECT_TRUE(schema.ok()) << line;
      if (schema.ok()) catalog.tables[line.substr(7, open - 7)] = *schema;
      actual += line + "\n";
    } else if (line == "@columns" || line == "@plan") {
      columns_only = line == "@columns";
      actual += line + "\n";
    } else if (line.starts_with("#") && query.empty()) {
      actual += line + "\n";
    } else if (line == kSeparator) {
      actual +=
          "\n" + trimmed(query) + "\n" + kSeparator + "\n" + answer(trimmed(query), catalog, columns_only);
      query.clear();
      in_answer = true;
    } else if (in_answer) {
      in_answer = !line.empty();
    } else if (!line.empty() || !query.empty()) {
      query += line + "\n";
    }
  }
  return actual;
}

TEST(Golden, Files) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const fs::path& path : files) {
    std::string expected;
    const std::string actual = run_file(path, expected);
    if (std::getenv("DEUTERON_UPDATE_GOLDEN") != nullptr) {
      std::ofstream(path) << actual;
    } else {
      EXPECT_EQ(actual, expected) << path
                                  << ": set DEUTERON_UPDATE_GOLDEN=1 to rewrite, and look at the difference";
    }
  }
}

}  // namespace
}  // namespace deuteron::analyzer
