// What both plan trees share: names of the small parts of nodes. The trees themselves are in unresolved.h and
// resolved.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "types/data_type.h"
#include "types/value.h"

namespace deuteron::plan {

using Names = std::vector<std::string>;
using Options = std::map<std::string, std::string>;  // keys in lower case
using Bytes = std::shared_ptr<const std::string>;

enum class CastMode { kDefault, kAnsi, kLegacy, kTry };  // kDefault: as spark.sql.ansi.enabled says
enum class NullOrdering { kDefault, kNullsFirst, kNullsLast };
enum class SubqueryKind { kScalar, kExists, kIn };
enum class JoinType { kInner, kLeftOuter, kRightOuter, kFullOuter, kLeftSemi, kLeftAnti, kCross };
enum class SetOperationType { kUnion, kIntersect, kExcept };
enum class GroupType { kGroupBy, kRollup, kCube, kGroupingSets, kPivot };
enum class SaveMode { kErrorIfExists, kIgnore, kOverwrite, kAppend };
enum class FrameUnit { kRows, kRange };
enum class FrameBoundKind { kUnboundedPreceding, kUnboundedFollowing, kCurrentRow, kValue };

struct Rename {
  std::string from;
  std::string to;
  bool operator==(const Rename&) const = default;
};

}  // namespace deuteron::plan
