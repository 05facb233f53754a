// One fragment, written as SQL and ready to run: its text, what it may fail with, and the scans it reads,
// which live as long as it does. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "plan/resolved.h"
#include "relational/database.h"
#include "relational/engine.h"
#include "relational/file_source.h"
#include "relational/lowering/lowering.h"
#include "relational/scan_function.h"
#include "relational/sink_function.h"

namespace deuteron::relational {

// A leaf restricted to some of its rows.
struct LeafCut {
  int64_t first_row = 0;  // Range, LocalData, ExchangeScan of one partition and column group
  int64_t row_count = -1;
  std::vector<FilePiece> files;     // FileScan
  std::vector<int32_t> partitions;  // ExchangeScan; empty: rows
};
struct CutLeaf {
  const plan::resolved::Relation* leaf = nullptr;  // null: nothing is cut
  LeafCut cut;
};

// The parts of an engine that a fragment needs.
struct EngineParts {
  Database& database;
  ScanRegistry& scans;
  SinkRegistry& sinks;
  FileSources& files;
};

// Keys by which rows go to partitions.
struct KeyColumns {
  plan::resolved::Expressions keys;  // over the fragment's output
  int32_t partitions = 1;
  bool ordered_by_group = false;
  plan::resolved::Expressions order;  // of the rows of a group
  int32_t side_column = -1;           // MaterializeRequest's
};

class FragmentRun {
 public:
  // With `keys` the text has two more columns at the end: the partition (INTEGER), and the number of the set
  // of equal keys (BIGINT), by which the rows are then sorted.
  static Result<std::unique_ptr<FragmentRun>> make(const EngineParts& parts,
                                                   const plan::resolved::RelationPtr& relation,
                                                   const RunContext& context, const CutLeaf& cut = {},
                                                   const KeyColumns* keys = nullptr, bool diagnosing = false,
                                                   bool narrow_decimals = false);
  ~FragmentRun();
  const std::string& sql() const { return sql_; }
  // The run may fail only because decimals were kept narrow: then it is made and run again without.
  bool uses_narrow_decimals() const { return fragment_.uses_narrow_decimals(); }
  // What a failure means in Spark's words; may run the fragment a second time to find the operation.
  Status status_of(const EngineFailure& failure, CancelToken& cancel) const;

 private:
  FragmentRun(const EngineParts& parts, plan::resolved::RelationPtr relation, const RunContext& context,
              CutLeaf cut)
      : parts_(parts), relation_(std::move(relation)), context_(context), cut_(std::move(cut)) {}
  Result<std::string> write_leaf(const plan::resolved::Relation& leaf);
  std::string scan_sql(const plan::resolved::Relation& leaf, const ScanSourcePtr& source,
                       const std::vector<int32_t>& columns);
  Status diagnose(CancelToken& cancel) const;

  EngineParts parts_;
  plan::resolved::RelationPtr relation_;
  const RunContext& context_;
  CutLeaf cut_;
  bool diagnosing_ = false;
  WriterOptions options_;
  Fragment fragment_;
  std::string sql_;
  std::vector<int64_t> handles_;
  std::vector<ScanSourcePtr> sources_;
};

}  // namespace deuteron::relational
