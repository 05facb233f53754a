// SQL texts, analyzed: a plan or an error, never a crash. A first character 1 means a query in which the rest
// is one expression over t.
#include <cstddef>
#include <cstdint>
#include <string>

#include "analyzer/analyzer.h"
#include "catalog/fake_catalog.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace plan = deuteron::plan;
  std::string text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with('1')) text = "SELECT " + text.substr(1) + " FROM t";
  plan::unresolved::Sql sql;
  sql.text = std::move(text);
  const deuteron::catalog::FakeCatalog catalog;
  const auto analyzed = deuteron::analyzer::analyze(plan::unresolved::make_relation(sql), {}, catalog);
  if (analyzed.ok()) plan::resolved::to_string(*analyzed);
  return 0;
}
