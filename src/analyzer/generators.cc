// Generators: explode and its like in LATERAL VIEW, in select lists and in FROM.
#include "analyzer/errors.h"
#include "analyzer/relations.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;

Result<Input> RelationResolver::generate(const unresolved::ExpressionPtr& generator, bool is_outer,
                                         const plan::Names& names, const std::string& table_alias,
                                         Input input, Columns& generated) {
  const auto* call = unresolved::as<unresolved::FunctionCall>(generator);
  if (call == nullptr) return at(unsupported("this generator"), generator->origin);
  std::string name = lower_case(call->name.back());
  if (name.ends_with("_outer")) {
    name.resize(name.size() - 6);
    is_outer = true;
  }
  const functions::Function* function = functions::find(name);
  if (function == nullptr) return unresolved_routine(call->name, generator->origin);
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  resolved::Expressions arguments;
  plan::Names texts;
  for (const auto& argument : call->arguments) {
    ASSIGN_OR_RETURN(ExpressionPtr value, resolver.resolve(argument));
    arguments.push_back(std::move(value));
    texts.push_back(resolver.pretty(argument));
  }
  ASSIGN_OR_RETURN(const ExpressionPtr resolved_call,
                   resolver.call(name, std::move(arguments), functions::display_name(*function, name, texts),
                                 generator->origin, texts));
  if (!resolved_call->type.is(types::TypeId::kStruct))
    return at(unsupported("the generator " + name), generator->origin);
  const types::Schema& fields = resolved_call->type.fields();
  if (!names.empty() && names.size() != fields.size()) {
    std::string aliases;
    for (const std::string& alias : names) aliases += (aliases.empty() ? "" : ",") + alias;
    return at(error("UDTF_ALIAS_NUMBER_MISMATCH",
                    {{"aliasesSize", std::to_string(fields.size())}, {"aliasesNames", aliases}}),
              generator->origin);
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    Column column{analysis_.next_id(),
                  names.empty() ? fields[i].name : names[i],
                  fields[i].type,
                  fields[i].nullable || is_outer,
                  {},
                  ""};
    if (!table_alias.empty()) column.qualifier = {table_alias};
    generated.push_back(std::move(column));
  }
  Columns output = input.plan->output;
  output.insert(output.end(), generated.begin(), generated.end());
  const int32_t partitions = input.plan->partitions;
  auto plan = resolved::make_relation(resolved::Generate{input.plan, resolved_call, is_outer},
                                      std::move(output), partitions);
  input.columns.insert(input.columns.end(), generated.begin(), generated.end());
  input.below = nullptr;
  return with_plan(std::move(input), std::move(plan));
}

Result<Input> RelationResolver::lateral_view(const unresolved::LateralView& node, Input input) {
  Columns generated;
  return generate(node.generator, node.is_outer, node.column_aliases, node.table_alias, std::move(input),
                  generated);
}

}  // namespace deuteron::analyzer
