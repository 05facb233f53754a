// SQL text with its arguments: parse, then put the arguments in the places of :name and ?.
#include "analyzer/analyzer.h"
#include "analyzer/errors.h"
#include "sql/parser.h"

namespace deuteron::analyzer {
namespace {

using namespace plan::unresolved;  // NOLINT(google-build-using-namespace): nothing but nodes of this tree

// Copies a tree with every Parameter replaced; remembers the first error.
class Binding {
 public:
  explicit Binding(const Sql& sql) : sql_(sql) {}

  const Status& status() const { return status_; }

  void edit(ExpressionPtr& field) {
    if (field == nullptr) return;
    if (const auto* parameter = as<Parameter>(field)) {
      field = value_of(*parameter, field->origin);
      return;
    }
    edit_copy(field);
  }
  void edit(RelationPtr& field) {
    if (field != nullptr) edit_copy(field);
  }
  void edit(CteDefinition& field) { edit(field.relation); }
  void edit(std::shared_ptr<const WindowFrame>& field) {
    if (field == nullptr) return;
    auto copy = std::make_shared<WindowFrame>(*field);
    edit(copy->lower.value);
    edit(copy->upper.value);
    field = std::move(copy);
  }
  void edit(NamedExpressions& field) {
    for (auto& [_, value] : field) edit(value);
  }
  void edit(Expressions& field) {
    for (ExpressionPtr& value : field) edit(value);
  }
  void edit(std::vector<Expressions>& field) {
    for (Expressions& values : field) edit(values);
  }
  void edit(std::vector<RelationPtr>& field) {
    for (RelationPtr& value : field) edit(value);
  }
  void edit(std::vector<CteDefinition>& field) {
    for (CteDefinition& value : field) edit(value);
  }
  template <typename Other>
  void edit(Other&) {}

  template <typename Variant>
  void edit_node(Variant& variant) {
    std::visit(
        [&](auto& node) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
            // The node belongs to a copy that is not const.
            visit_fields(node, [&](const char*, const auto& field) {
              edit(const_cast<std::decay_t<decltype(field)>&>(field));
            });
          }
        },
        variant);
  }

 private:
  // Parts without a parameter stay the shared nodes that they are.
  template <typename Pointer>
  void edit_copy(Pointer& field) {
    const int before = replaced_;
    auto copy = std::make_shared<std::remove_const_t<typename Pointer::element_type>>(*field);
    edit_node(copy->node);
    if (replaced_ != before) field = std::move(copy);
  }

  ExpressionPtr value_of(const Parameter& parameter, const plan::Origin& origin) {
    ++replaced_;
    if (parameter.name.empty()) {
      const auto index = static_cast<size_t>(parameter.index);
      if (index < sql_.positional_arguments.size()) return sql_.positional_arguments[index];
    } else if (const auto found = sql_.named_arguments.find(parameter.name);
               found != sql_.named_arguments.end()) {
      return found->second;
    }
    const int32_t place = origin == nullptr ? parameter.index : origin->start_index;
    const std::string name = parameter.name.empty() ? "_" + std::to_string(place) : parameter.name;
    if (status_.ok()) status_ = at(error("UNBOUND_SQL_PARAMETER", {{"name", name}}), origin);
    return make_expression(parameter, origin);
  }

  const Sql& sql_;
  int replaced_ = 0;
  Status status_;
};

}  // namespace

Result<Statement> parse_sql(const Sql& sql) {
  ASSIGN_OR_RETURN(Statement statement, deuteron::sql::parse_statement(sql.text));
  Binding binding(sql);
  if (auto* relation = std::get_if<RelationPtr>(&statement)) {
    binding.edit(*relation);
  } else {
    binding.edit_node(std::get<Command>(statement).node);
  }
  RETURN_IF_ERROR(binding.status());
  return statement;
}

}  // namespace deuteron::analyzer
