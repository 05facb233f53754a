// When two resolved plans are one and the same.
#pragma once

#include "plan/resolved.h"

namespace deuteron::plan::resolved {

// The same steps over the same sources, and so the same rows: equal but for the numbers of columns and for
// names that no step looks at. Local data are compared byte by byte.
bool same_plan(const RelationPtr& left, const RelationPtr& right);

}  // namespace deuteron::plan::resolved
