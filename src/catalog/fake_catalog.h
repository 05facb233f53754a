// For fuzzers: a catalog with one view, t, which has no rows and a column of each kind; nothing else is
// found.
#pragma once

#include "catalog/catalog.h"

namespace deuteron::catalog {

class FakeCatalog final : public CatalogView, public FileSchemaReader {
 public:
  std::optional<View> find_view(const plan::Names& name) const override {
    if (name.back() != "t") return std::nullopt;
    return View{
        nullptr, plan::unresolved::make_relation(plan::unresolved::LocalRelation{nullptr, kColumns}), {}};
  }
  plan::unresolved::ExpressionPtr find_function(const std::string&) const override { return nullptr; }
  plan::Bytes find_cached_artifact(const std::string&) const override { return nullptr; }
  FileSchemaReader& files() const override { return const_cast<FakeCatalog&>(*this); }
  Result<FileSource> describe(const std::string&, const plan::Names&, const plan::Options&,
                              const types::Schema&) override {
    return error("PATH_NOT_FOUND", {{"path", "nowhere"}});
  }

 private:
  static constexpr const char* kColumns =
      "a int, b bigint, x double, p decimal(10, 2), s string, d date, i timestamp, n interval day to second, "
      "l array<int>, m map<string, int>, r struct<a: int, s: string>, y binary, o boolean";
};

}  // namespace deuteron::catalog
