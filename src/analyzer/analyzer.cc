#include "analyzer/analyzer.h"

#include "analyzer/relations.h"
#include "analyzer/simplification.h"
#include "plan/validator.h"

namespace deuteron::analyzer {

Result<resolved::RelationPtr> analyze(const unresolved::RelationPtr& relation, const Settings& settings,
                                      const catalog::CatalogView& catalog) {
  Analysis analysis(settings, catalog);
  ASSIGN_OR_RETURN(const Input input, RelationResolver(analysis, nullptr).resolve_settled(relation));
  ASSIGN_OR_RETURN(resolved::RelationPtr plan, simplify(analysis, input.plan));
  RETURN_IF_ERROR(plan::validate(plan));
  return plan;
}

}  // namespace deuteron::analyzer
