// Hostile plans (protobuf in text form, so that seeds and findings can be read): decoder and analyzer answer
// with a plan or an error, never with a crash, and what they accept can be printed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "analyzer/analyzer.h"
#include "catalog/fake_catalog.h"
#include "connect/decode/plan_decoder.h"
#include "connect/decode/plan_mutator_testing.h"

using deuteron::connect::decode::PlanMutator;
namespace unresolved = deuteron::plan::unresolved;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spark::connect::Plan plan;
  if (!PlanMutator::parse({reinterpret_cast<const char*>(data), size}, plan)) return 0;
  const auto decoded = deuteron::connect::decode::decode_plan(plan);
  if (!decoded.ok()) return 0;
  const auto* relation = std::get_if<unresolved::RelationPtr>(&*decoded);
  if (relation == nullptr) return 0;
  unresolved::to_string(*relation);
  const deuteron::catalog::FakeCatalog catalog;
  const auto analyzed = deuteron::analyzer::analyze(*relation, {}, catalog);
  if (analyzed.ok()) deuteron::plan::resolved::to_string(*analyzed);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  return PlanMutator(seed).mutate(reinterpret_cast<char*>(data), size, most);
}
