#include <limits>
#include <random>

#include "connect/decode/decoder.h"
#include "sql/parser.h"

namespace deuteron::connect::decode {

using unresolved::RelationNode;
using unresolved::RelationPtr;
using unresolved::UnsupportedRelation;

namespace {

unresolved::ExpressionPtr call(const std::string& function, unresolved::Expressions arguments) {
  unresolved::FunctionCall node;
  node.name = {function};
  node.arguments = std::move(arguments);
  return unresolved::make_expression(std::move(node));
}

}  // namespace

RelationPtr Decoder::relation(const protocol::Relation& message) {
  const Level level(*this);
  if (level.too_deep()) return nullptr;
  const protocol::RelationCommon& common = message.common();
  return std::make_shared<const unresolved::Relation>(unresolved::Relation{
      relation_node(message), common.has_plan_id() ? common.plan_id() : -1, decode_origin(common.origin())});
}

RelationNode Decoder::relation_node(const protocol::Relation& message) {
  using Message = protocol::Relation;
  switch (message.rel_type_case()) {
    case Message::kRead: return read(message.read());
    case Message::kProject: {
      const auto& project = message.project();
      // A projection without input has one row: the client sends it for spark.sql-less literals.
      RelationPtr child =
          project.has_input() ? relation(project.input()) : unresolved::make_relation(unresolved::OneRow{});
      return unresolved::Project{std::move(child), expressions(project.expressions())};
    }
    case Message::kFilter:
      return unresolved::Filter{relation(message.filter().input()), expression(message.filter().condition())};
    case Message::kJoin: return join(message.join());
    case Message::kSetOp: return set_operation(message.set_op());
    case Message::kSort:
      return unresolved::Sort{relation(message.sort().input()), sort_orders(message.sort().order()),
                              message.sort().is_global()};
    case Message::kLimit:
      return unresolved::Limit{relation(message.limit().input()), message.limit().limit()};
    case Message::kAggregate: return aggregate(message.aggregate());
    case Message::kSql: return sql(message.sql());
    case Message::kLocalRelation: {
      const auto& local = message.local_relation();
      return unresolved::LocalRelation{
          local.has_data() ? std::make_shared<const std::string>(local.data()) : nullptr, local.schema()};
    }
    case Message::kSample: return sample(message.sample());
    case Message::kOffset:
      return unresolved::Offset{relation(message.offset().input()), message.offset().offset()};
    case Message::kDeduplicate: return deduplicate(message.deduplicate());
    case Message::kRange: {
      const auto& range = message.range();
      if (range.step() == 0) invalid("The step of a range must not be 0.");
      return unresolved::Range{range.start(), range.end(), range.step(),
                               range.has_num_partitions() ? range.num_partitions() : -1};
    }
    case Message::kSubqueryAlias: {
      const auto& alias = message.subquery_alias();
      if (!alias.qualifier().empty()) return UnsupportedRelation{"qualified alias"};
      return unresolved::SubqueryAlias{relation(alias.input()), alias.alias(), {}};
    }
    case Message::kRepartition: {
      const auto& repartition = message.repartition();
      return unresolved::Repartition{relation(repartition.input()), repartition.num_partitions(),
                                     repartition.shuffle()};
    }
    case Message::kToDf:
      return unresolved::ToDataFrame{relation(message.to_df().input()),
                                     decode_names(message.to_df().column_names())};
    case Message::kWithColumnsRenamed: return with_columns_renamed(message.with_columns_renamed());
    case Message::kShowString: {
      const auto& show = message.show_string();
      return unresolved::ShowString{relation(show.input()), show.num_rows(), show.truncate(),
                                    show.vertical()};
    }
    case Message::kDrop:
      return unresolved::Drop{relation(message.drop().input()), expressions(message.drop().columns()),
                              decode_names(message.drop().column_names())};
    case Message::kTail: return unresolved::Tail{relation(message.tail().input()), message.tail().limit()};
    case Message::kWithColumns: return with_columns(message.with_columns());
    case Message::kHint:
      return unresolved::Hint{relation(message.hint().input()), message.hint().name(),
                              expressions(message.hint().parameters())};
    case Message::kUnpivot: return unpivot(message.unpivot());
    case Message::kToSchema:
      return unresolved::ToSchema{relation(message.to_schema().input()), type(message.to_schema().schema())};
    case Message::kRepartitionByExpression: {
      const auto& repartition = message.repartition_by_expression();
      return unresolved::RepartitionByExpression{
          relation(repartition.input()), expressions(repartition.partition_exprs()),
          repartition.has_num_partitions() ? repartition.num_partitions() : -1};
    }
    case Message::kMapPartitions: return map_partitions(message.map_partitions());
    case Message::kCollectMetrics:
      return unresolved::CollectMetrics{relation(message.collect_metrics().input()),
                                        message.collect_metrics().name(),
                                        expressions(message.collect_metrics().metrics())};
    case Message::kGroupMap: return group_map(message.group_map());
    case Message::kCoGroupMap: return co_group_map(message.co_group_map());
    case Message::kHtmlString: {
      const auto& html = message.html_string();
      return unresolved::HtmlString{relation(html.input()), html.num_rows(), html.truncate()};
    }
    case Message::kCachedLocalRelation:
      return unresolved::CachedLocalRelation{{message.cached_local_relation().hash()}, ""};
    case Message::kChunkedCachedLocalRelation: {
      const auto& cached = message.chunked_cached_local_relation();
      return unresolved::CachedLocalRelation{decode_names(cached.datahashes()), cached.schemahash()};
    }
    case Message::kWithRelations: return with_relations(message.with_relations());
    case Message::kUnresolvedTableValuedFunction: {
      const auto& function = message.unresolved_table_valued_function();
      return unresolved::TableFunction{{function.function_name()}, expressions(function.arguments())};
    }
    case Message::kLateralJoin: {
      const auto& lateral = message.lateral_join();
      unresolved::Join node;
      node.left = relation(lateral.left());
      node.right = relation(lateral.right());
      node.type = join_type(lateral.join_type());
      if (lateral.has_join_condition()) node.condition = expression(lateral.join_condition());
      node.is_lateral = true;
      return node;
    }
    case Message::kFillNa: return fill_null(message.fill_na());
    case Message::kDropNa: {
      const auto& drop = message.drop_na();
      return unresolved::DropNull{relation(drop.input()), decode_names(drop.cols()),
                                  drop.has_min_non_nulls() ? drop.min_non_nulls() : -1};
    }
    case Message::kReplace: return replace(message.replace());
    case Message::kSummary:
      return unresolved::Describe{
          relation(message.summary().input()), {}, decode_names(message.summary().statistics()), true};
    case Message::kDescribe:
      return unresolved::Describe{
          relation(message.describe().input()), decode_names(message.describe().cols()), {}, false};
    case Message::kCatalog: return catalog(message.catalog());
    case Message::kParse: return UnsupportedRelation{"reading CSV or JSON from a column of text"};
    case Message::kWithWatermark: return UnsupportedRelation{"withWatermark"};
    case Message::kApplyInPandasWithState: return UnsupportedRelation{"applyInPandasWithState"};
    case Message::kCachedRemoteRelation: return UnsupportedRelation{"cached remote relation"};
    case Message::kCommonInlineUserDefinedTableFunction:
      return unresolved::PythonTable{std::make_shared<const unresolved::Expression>(unresolved::Expression{
          table_function(message.common_inline_user_defined_table_function()), nullptr})};
    case Message::kAsOfJoin: return UnsupportedRelation{"as-of join"};
    case Message::kCommonInlineUserDefinedDataSource: return UnsupportedRelation{"Python data source"};
    case Message::kTranspose: return UnsupportedRelation{"transpose"};
    case Message::kRelationChanges: return UnsupportedRelation{"change data of a table"};
    case Message::kNearestByJoin: return UnsupportedRelation{"nearest-by join"};
    case Message::kCrosstab: return crosstab(message.crosstab());
    case Message::kCov:
      return statistic("cov", "covar_samp", relation(message.cov().input()), message.cov().col1(),
                       message.cov().col2(), 0.0);
    case Message::kCorr:
      if (message.corr().has_method() && message.corr().method() != "pearson") {
        invalid("Currently only the calculation of the Pearson Correlation coefficient is supported.");
      }
      return statistic("corr", "corr", relation(message.corr().input()), message.corr().col1(),
                       message.corr().col2(), std::numeric_limits<double>::quiet_NaN());
    case Message::kApproxQuantile: return UnsupportedRelation{"stat.approxQuantile"};
    case Message::kFreqItems: return UnsupportedRelation{"stat.freqItems"};
    case Message::kSampleBy: return sample_by(message.sample_by());
    case Message::kMlRelation: return UnsupportedRelation{"pyspark.ml"};
    case Message::kExtension: return UnsupportedRelation{"relation extension"};
    case Message::kUnknown: return UnsupportedRelation{"unknown relation"};
    case Message::REL_TYPE_NOT_SET: break;
  }
  invalid("A relation is missing.");
  return {};
}

RelationNode Decoder::read(const protocol::Read& message) {
  if (message.is_streaming()) return UnsupportedRelation{"streaming query"};
  if (message.has_named_table()) {
    return unresolved::NamedTable{take(sql::parse_name(message.named_table().unparsed_identifier())),
                                  decode_options(message.named_table().options())};
  }
  if (!message.has_data_source()) {
    invalid("A read without a table or a data source.");
    return {};
  }
  const auto& source = message.data_source();
  if (!source.predicates().empty()) return UnsupportedRelation{"JDBC with predicates"};
  if (source.has_source_name()) return UnsupportedRelation{"named streaming source"};
  return unresolved::DataSource{source.format(), source.schema(), decode_options(source.options()),
                                decode_names(source.paths())};
}

// Arguments come as expressions, or as literals from clients before 4.0.
RelationNode Decoder::sql(const protocol::SQL& message) {
  unresolved::Sql node;
  node.text = message.query();
  for (const auto& [name, value] : message.named_arguments()) node.named_arguments[name] = expression(value);
  for (const auto& [name, value] : message.args()) {
    node.named_arguments[name] = unresolved::make_expression(unresolved::Literal{literal(value)});
  }
  node.positional_arguments = expressions(message.pos_arguments());
  for (const auto& value : message.pos_args()) {
    node.positional_arguments.push_back(unresolved::make_expression(unresolved::Literal{literal(value)}));
  }
  return node;
}

plan::JoinType Decoder::join_type(protocol::Join::JoinType type) {
  switch (type) {
    case protocol::Join::JOIN_TYPE_INNER: return plan::JoinType::kInner;
    case protocol::Join::JOIN_TYPE_FULL_OUTER: return plan::JoinType::kFullOuter;
    case protocol::Join::JOIN_TYPE_LEFT_OUTER: return plan::JoinType::kLeftOuter;
    case protocol::Join::JOIN_TYPE_RIGHT_OUTER: return plan::JoinType::kRightOuter;
    case protocol::Join::JOIN_TYPE_LEFT_ANTI: return plan::JoinType::kLeftAnti;
    case protocol::Join::JOIN_TYPE_LEFT_SEMI: return plan::JoinType::kLeftSemi;
    case protocol::Join::JOIN_TYPE_CROSS: return plan::JoinType::kCross;
    default: break;
  }
  invalid("Unknown type of join.");
  return plan::JoinType::kInner;
}

RelationNode Decoder::join(const protocol::Join& message) {
  if (message.has_join_data_type()) return UnsupportedRelation{"joinWith"};
  if (message.has_join_condition() && !message.using_columns().empty()) {
    invalid("A join may have a condition or columns to join on, not both.");
  }
  unresolved::Join node;
  node.left = relation(message.left());
  node.right = relation(message.right());
  node.type = join_type(message.join_type());
  if (message.has_join_condition()) node.condition = expression(message.join_condition());
  node.using_columns = decode_names(message.using_columns());
  return node;
}

RelationNode Decoder::set_operation(const protocol::SetOperation& message) {
  unresolved::SetOperation node;
  node.left = relation(message.left_input());
  node.right = relation(message.right_input());
  switch (message.set_op_type()) {
    case protocol::SetOperation::SET_OP_TYPE_UNION: node.type = plan::SetOperationType::kUnion; break;
    case protocol::SetOperation::SET_OP_TYPE_INTERSECT: node.type = plan::SetOperationType::kIntersect; break;
    case protocol::SetOperation::SET_OP_TYPE_EXCEPT: node.type = plan::SetOperationType::kExcept; break;
    default: invalid("Unknown set operation.");
  }
  node.is_all = message.is_all();
  node.by_name = message.by_name();
  node.allow_missing_columns = message.allow_missing_columns();
  if (node.by_name && node.type != plan::SetOperationType::kUnion) invalid("Only a union may be by name.");
  return node;
}

RelationNode Decoder::aggregate(const protocol::Aggregate& message) {
  unresolved::Aggregate node;
  node.input = relation(message.input());
  switch (message.group_type()) {
    case protocol::Aggregate::GROUP_TYPE_GROUPBY: node.group_type = plan::GroupType::kGroupBy; break;
    case protocol::Aggregate::GROUP_TYPE_ROLLUP: node.group_type = plan::GroupType::kRollup; break;
    case protocol::Aggregate::GROUP_TYPE_CUBE: node.group_type = plan::GroupType::kCube; break;
    case protocol::Aggregate::GROUP_TYPE_PIVOT: node.group_type = plan::GroupType::kPivot; break;
    case protocol::Aggregate::GROUP_TYPE_GROUPING_SETS:
      node.group_type = plan::GroupType::kGroupingSets;
      break;
    default: invalid("Unknown type of grouping.");
  }
  node.grouping = expressions(message.grouping_expressions());
  node.aggregates = expressions(message.aggregate_expressions());
  for (const auto& set : message.grouping_sets())
    node.grouping_sets.push_back(expressions(set.grouping_set()));
  if (node.group_type == plan::GroupType::kPivot) {
    if (!message.has_pivot()) invalid("A pivot without a column.");
    node.pivot_column = expression(message.pivot().col());
    for (const auto& value : message.pivot().values()) {
      node.pivot_values.push_back(unresolved::make_expression(unresolved::Literal{literal(value)}));
    }
  }
  return node;
}

// DataFrame.corr and cov: one aggregate of two columns, in which null counts as 0.
RelationNode Decoder::statistic(const std::string& name, const std::string& function, RelationPtr input,
                                const std::string& first, const std::string& second, double otherwise) {
  const types::DataType type(types::TypeId::kDouble);
  const auto number = [&](double value) {
    return unresolved::make_expression(unresolved::Literal{{type, types::Value(value)}});
  };
  const auto column = [&](const std::string& written) {
    const unresolved::Attribute attribute{take(sql::parse_name(written)), -1, false};
    const auto value = unresolved::make_expression(
        unresolved::Cast{unresolved::make_expression(attribute), type, plan::CastMode::kDefault});
    return call("coalesce", {value, number(0.0)});
  };
  const auto value = call("coalesce", {call(function, {column(first), column(second)}), number(otherwise)});
  unresolved::Aggregate node;
  node.input = std::move(input);
  node.aggregates = {unresolved::make_expression(unresolved::Alias{value, {name}, ""})};
  return node;
}

// How often each two values stand together: a pivot of counts, with 0 where there is none.
RelationNode Decoder::crosstab(const protocol::StatCrosstab& message) {
  const types::DataType text(types::TypeId::kString);
  const auto word = [&](const std::string& value) {
    return unresolved::make_expression(unresolved::Literal{{text, types::Value(value)}});
  };
  const auto column = [&](const std::string& written) {
    const unresolved::Attribute attribute{take(sql::parse_name(written)), -1, false};
    const auto value = unresolved::make_expression(
        unresolved::Cast{unresolved::make_expression(attribute), text, plan::CastMode::kDefault});
    return call("coalesce", {value, word("null")});
  };
  unresolved::Aggregate pivot;
  pivot.input = relation(message.input());
  pivot.group_type = plan::GroupType::kPivot;
  pivot.grouping = {unresolved::make_expression(
      unresolved::Alias{column(message.col1()), {message.col1() + "_" + message.col2()}, ""})};
  pivot.pivot_column = call("replace", {column(message.col2()), word("`"), word("")});
  pivot.aggregates = {call("count", {unresolved::make_expression(unresolved::Star{{}, -1})})};
  unresolved::FillNull filled;
  filled.input = unresolved::make_relation(std::move(pivot));
  filled.values = {{types::DataType(types::TypeId::kLong), types::Value(int64_t{0})}};
  return filled;
}

RelationNode Decoder::deduplicate(const protocol::Deduplicate& message) {
  if (message.all_columns_as_keys() && !message.column_names().empty()) {
    invalid("Cannot deduplicate on both all columns and a subset of columns.");
  }
  if (!message.all_columns_as_keys() && message.column_names().empty()) {
    invalid("Deduplicate needs all columns or a subset of columns.");
  }
  return unresolved::Deduplicate{relation(message.input()), decode_names(message.column_names()),
                                 message.within_watermark()};
}

RelationNode Decoder::sample(const protocol::Sample& message) {
  const int64_t seed = message.has_seed() ? message.seed() : static_cast<int64_t>(std::random_device{}());
  return unresolved::Sample{relation(message.input()),
                            message.lower_bound(),
                            message.upper_bound(),
                            message.with_replacement(),
                            seed,
                            message.deterministic_order()};
}

// A row stays when its random number is below the fraction of its stratum, which is 0 for those not named.
RelationNode Decoder::sample_by(const protocol::StatSampleBy& message) {
  const auto literal = [](const types::DataType& type, types::Value value) {
    return unresolved::make_expression(unresolved::Literal{{type, std::move(value)}});
  };
  const types::DataType number(types::TypeId::kDouble);
  const auto stratum = expression(message.col());
  unresolved::Expressions branches;
  for (const auto& fraction : message.fractions()) {
    const auto value = unresolved::make_expression(unresolved::Literal{this->literal(fraction.stratum())});
    branches.push_back(call("<=>", {stratum, value}));
    branches.push_back(literal(number, types::Value(fraction.fraction())));
  }
  branches.push_back(literal(number, types::Value(0.0)));
  const int64_t seed = message.has_seed() ? message.seed() : static_cast<int64_t>(std::random_device{}());
  const auto drawn = call("rand", {literal(types::DataType(types::TypeId::kLong), types::Value(seed))});
  const auto wanted = branches.size() == 1 ? branches[0] : call("when", std::move(branches));
  return unresolved::Filter{relation(message.input()), call("<", {drawn, wanted})};
}

RelationNode Decoder::with_columns(const protocol::WithColumns& message) {
  unresolved::WithColumns node;
  node.input = relation(message.input());
  for (const auto& column : message.aliases()) {
    if (column.name_size() != 1) invalid("A column of withColumns must have one name.");
    node.columns.push_back(
        std::make_shared<const unresolved::Expression>(unresolved::Expression{alias(column), nullptr}));
  }
  return node;
}

RelationNode Decoder::with_columns_renamed(const protocol::WithColumnsRenamed& message) {
  unresolved::WithColumnsRenamed node;
  node.input = relation(message.input());
  for (const auto& rename : message.renames())
    node.renames.push_back({rename.col_name(), rename.new_col_name()});
  if (message.renames().empty()) {
    for (const auto& [from, to] : message.rename_columns_map()) node.renames.push_back({from, to});
  }
  return node;
}

RelationNode Decoder::unpivot(const protocol::Unpivot& message) {
  return unresolved::Unpivot{
      relation(message.input()), expressions(message.ids()),     expressions(message.values().values()),
      message.has_values(),      message.variable_column_name(), message.value_column_name()};
}

RelationNode Decoder::fill_null(const protocol::NAFill& message) {
  unresolved::FillNull node;
  node.input = relation(message.input());
  node.columns = decode_names(message.cols());
  for (const auto& value : message.values()) node.values.push_back(literal(value));
  if (node.values.empty()) invalid("fillna needs a value.");
  if (node.values.size() > 1 && node.values.size() != node.columns.size()) {
    invalid("fillna needs one value, or as many as columns.");
  }
  return node;
}

RelationNode Decoder::replace(const protocol::NAReplace& message) {
  unresolved::Replace node;
  node.input = relation(message.input());
  node.columns = decode_names(message.cols());
  for (const auto& replacement : message.replacements()) {
    node.old_values.push_back(literal(replacement.old_value()));
    node.new_values.push_back(literal(replacement.new_value()));
  }
  return node;
}

RelationNode Decoder::map_partitions(const protocol::MapPartitions& message) {
  return unresolved::MapPartitions{relation(message.input()),
                                   std::make_shared<const unresolved::Expression>(
                                       unresolved::Expression{user_function(message.func()), nullptr}),
                                   message.is_barrier(), message.profile_id()};
}

RelationNode Decoder::group_map(const protocol::GroupMap& message) {
  if (message.has_transform_with_state_info()) return UnsupportedRelation{"transformWithState"};
  if (message.has_initial_input() || message.is_map_groups_with_state() ||
      !message.sorting_expressions().empty()) {
    return UnsupportedRelation{"typed groups of Scala"};
  }
  return unresolved::GroupMap{relation(message.input()), expressions(message.grouping_expressions()),
                              std::make_shared<const unresolved::Expression>(
                                  unresolved::Expression{user_function(message.func()), nullptr})};
}

RelationNode Decoder::co_group_map(const protocol::CoGroupMap& message) {
  if (!message.input_sorting_expressions().empty() || !message.other_sorting_expressions().empty()) {
    return UnsupportedRelation{"typed groups of Scala"};
  }
  return unresolved::CoGroupMap{relation(message.input()), expressions(message.input_grouping_expressions()),
                                relation(message.other()), expressions(message.other_grouping_expressions()),
                                std::make_shared<const unresolved::Expression>(
                                    unresolved::Expression{user_function(message.func()), nullptr})};
}

RelationNode Decoder::with_relations(const protocol::WithRelations& message) {
  unresolved::WithRelations node;
  node.input = relation(message.root());
  for (const auto& reference : message.references()) node.references.push_back(relation(reference));
  return node;
}

RelationNode Decoder::catalog(const protocol::Catalog& message) {
  using Message = protocol::Catalog;
  const auto call = [](const char* function, plan::Names name = {}, std::string database = "",
                       std::string pattern = "") {
    return unresolved::CatalogCall{function, std::move(name), std::move(database), std::move(pattern)};
  };
  // A name as it is written, and the database that may be given beside it.
  const auto name_of = [this](const std::string& written, const std::string& database = "") {
    plan::Names name = take(sql::parse_name(written));
    if (!database.empty()) name.insert(name.begin(), database);
    return name;
  };
  const auto unsupported_call = [](const char* function) {
    return UnsupportedRelation{std::string("spark.catalog.") + function};
  };
  switch (message.cat_type_case()) {
    case Message::kCurrentDatabase: return call("currentDatabase");
    case Message::kSetCurrentDatabase:
      return call("setCurrentDatabase", {message.set_current_database().db_name()});
    case Message::kListDatabases: return call("listDatabases", {}, "", message.list_databases().pattern());
    case Message::kListTables:
      return call("listTables", {}, message.list_tables().db_name(), message.list_tables().pattern());
    case Message::kListViews: return unsupported_call("listViews");
    case Message::kListFunctions: return unsupported_call("listFunctions");
    case Message::kListColumns:
      return call("listColumns",
                  name_of(message.list_columns().table_name(), message.list_columns().db_name()));
    case Message::kGetDatabase: return call("getDatabase", {message.get_database().db_name()});
    case Message::kGetTable:
      return call("getTable", name_of(message.get_table().table_name(), message.get_table().db_name()));
    case Message::kGetFunction: return unsupported_call("getFunction");
    case Message::kDatabaseExists: return call("databaseExists", {message.database_exists().db_name()});
    case Message::kTableExists:
      return call("tableExists",
                  name_of(message.table_exists().table_name(), message.table_exists().db_name()));
    case Message::kFunctionExists:
      return call("functionExists",
                  name_of(message.function_exists().function_name(), message.function_exists().db_name()));
    case Message::kCreateExternalTable: return unsupported_call("createExternalTable");
    case Message::kCreateTable: return unsupported_call("createTable");
    case Message::kDropTempView: return call("dropTempView", {message.drop_temp_view().view_name()});
    case Message::kDropGlobalTempView:
      return call("dropGlobalTempView", {message.drop_global_temp_view().view_name()});
    case Message::kRecoverPartitions: return unsupported_call("recoverPartitions");
    case Message::kIsCached: return call("isCached", name_of(message.is_cached().table_name()));
    case Message::kCacheTable:
      if (message.cache_table().has_storage_level())
        return unsupported_call("cacheTable with a storage level");
      return call("cacheTable", name_of(message.cache_table().table_name()));
    case Message::kUncacheTable: return call("uncacheTable", name_of(message.uncache_table().table_name()));
    case Message::kClearCache: return call("clearCache");
    case Message::kRefreshTable: return call("refreshTable", name_of(message.refresh_table().table_name()));
    case Message::kRefreshByPath: return call("refreshByPath", {message.refresh_by_path().path()});
    case Message::kCurrentCatalog: return call("currentCatalog");
    case Message::kSetCurrentCatalog:
      return call("setCurrentCatalog", {message.set_current_catalog().catalog_name()});
    case Message::kListCatalogs: return call("listCatalogs", {}, "", message.list_catalogs().pattern());
    case Message::kDropTable: return unsupported_call("dropTable");
    case Message::kDropView: return unsupported_call("dropView");
    case Message::kCreateDatabase: return unsupported_call("createDatabase");
    case Message::kDropDatabase: return unsupported_call("dropDatabase");
    case Message::kListPartitions: return unsupported_call("listPartitions");
    case Message::kGetTableProperties: return unsupported_call("getTableProperties");
    case Message::kGetCreateTableString: return unsupported_call("getCreateTableString");
    case Message::kTruncateTable: return unsupported_call("truncateTable");
    case Message::kAnalyzeTable: return unsupported_call("analyzeTable");
    case Message::CAT_TYPE_NOT_SET: break;
  }
  invalid("A call of the catalog is missing.");
  return {};
}

}  // namespace deuteron::connect::decode
