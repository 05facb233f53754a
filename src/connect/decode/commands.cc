#include "connect/decode/decoder.h"
#include "sql/parser.h"

namespace deuteron::connect::decode {

using unresolved::CommandNode;
using unresolved::UnsupportedCommand;

unresolved::Command Decoder::command(const protocol::Command& message) { return {command_node(message)}; }

CommandNode Decoder::command_node(const protocol::Command& message) {
  using Message = protocol::Command;
  switch (message.command_type_case()) {
    case Message::kRegisterFunction: {
      unresolved::RegisterFunction node;
      node.name = message.register_function().function_name();
      node.function = std::make_shared<const unresolved::Expression>(
          unresolved::Expression{user_function(message.register_function()), nullptr});
      return node;
    }
    case Message::kCreateDataframeView: {
      const auto& view = message.create_dataframe_view();
      unresolved::CreateView node;
      node.input = relation(view.input());
      node.name = take(sql::parse_name(view.name()));
      node.is_global = view.is_global();
      node.replace = view.replace();
      return node;
    }
    case Message::kWriteOperation: return write_operation(message.write_operation());
    case Message::kWriteOperationV2: return write_operation_v2(message.write_operation_v2());
    case Message::kSqlCommand: invalid("An SQL command is a query, not a command."); return {};
    case Message::kWriteStreamOperationStart: return UnsupportedCommand{"streaming query"};
    case Message::kStreamingQueryCommand: return UnsupportedCommand{"streaming query"};
    case Message::kStreamingQueryManagerCommand: return UnsupportedCommand{"streaming query"};
    case Message::kStreamingQueryListenerBusCommand: return UnsupportedCommand{"streaming query listener"};
    case Message::kRegisterTableFunction: {
      const auto& function = message.register_table_function();
      return unresolved::RegisterFunction{function.function_name(),
                                          std::make_shared<const unresolved::Expression>(
                                              unresolved::Expression{table_function(function), nullptr})};
    }
    case Message::kRegisterDataSource: {
      const auto& source = message.register_data_source();
      unresolved::PythonCall python;
      python.name = source.name();
      python.command = source.python_data_source().command();
      python.python_version = source.python_data_source().python_ver();
      return unresolved::RegisterDataSource{
          source.name(),
          std::make_shared<const unresolved::Expression>(unresolved::Expression{std::move(python), nullptr})};
    }
    case Message::kCheckpointCommand: return UnsupportedCommand{"checkpoint"};
    case Message::kRemoveCachedRemoteRelationCommand: return UnsupportedCommand{"cached remote relation"};
    case Message::kMergeIntoTableCommand: return UnsupportedCommand{"MERGE INTO"};
    case Message::kMlCommand: return UnsupportedCommand{"pyspark.ml"};
    case Message::kExecuteExternalCommand: return UnsupportedCommand{"external command"};
    case Message::kPipelineCommand: return UnsupportedCommand{"declarative pipeline"};
    case Message::kExtension: return UnsupportedCommand{"command extension"};
    case Message::kGetResourcesCommand:
    case Message::kCreateResourceProfileCommand:  // answered before
    case Message::COMMAND_TYPE_NOT_SET: break;
  }
  invalid("A command is missing.");
  return {};
}

unresolved::RelationPtr Decoder::sql_command(const protocol::SqlCommand& message) {
  if (message.has_input()) return relation(message.input());
  protocol::SQL query;
  query.set_query(message.sql());
  *query.mutable_args() = message.args();
  *query.mutable_pos_args() = message.pos_args();
  *query.mutable_named_arguments() = message.named_arguments();
  *query.mutable_pos_arguments() = message.pos_arguments();
  return std::make_shared<const unresolved::Relation>(unresolved::Relation{sql(query), -1, nullptr});
}

CommandNode Decoder::write_operation(const protocol::WriteOperation& message) {
  using Message = protocol::WriteOperation;
  if (message.has_bucket_by() || !message.sort_column_names().empty()) return UnsupportedCommand{"bucketBy"};
  if (!message.clustering_columns().empty()) return UnsupportedCommand{"clusterBy"};
  if (message.with_schema_evolution()) return UnsupportedCommand{"schema evolution"};
  plan::SaveMode mode = plan::SaveMode::kErrorIfExists;
  switch (message.mode()) {
    case Message::SAVE_MODE_APPEND: mode = plan::SaveMode::kAppend; break;
    case Message::SAVE_MODE_OVERWRITE: mode = plan::SaveMode::kOverwrite; break;
    case Message::SAVE_MODE_IGNORE: mode = plan::SaveMode::kIgnore; break;
    default: break;
  }
  if (!message.has_table()) {
    return unresolved::WriteFiles{relation(message.input()),
                                  message.source(),
                                  message.path(),
                                  mode,
                                  decode_names(message.partitioning_columns()),
                                  decode_options(message.options())};
  }
  if (message.table().save_method() == Message::SaveTable::TABLE_SAVE_METHOD_INSERT_INTO) {
    return UnsupportedCommand{"insertInto"};
  }
  return unresolved::WriteTable{relation(message.input()),
                                message.source(),
                                take(sql::parse_name(message.table().table_name())),
                                mode,
                                decode_names(message.partitioning_columns()),
                                decode_options(message.options())};
}

// The modes whose meaning a WriteTable can say; the others are named.
CommandNode Decoder::write_operation_v2(const protocol::WriteOperationV2& message) {
  using Message = protocol::WriteOperationV2;
  if (!message.partitioning_columns().empty()) return UnsupportedCommand{"DataFrameWriterV2.partitionedBy"};
  if (!message.clustering_columns().empty()) return UnsupportedCommand{"DataFrameWriterV2.clusterBy"};
  if (!message.table_properties().empty()) return UnsupportedCommand{"DataFrameWriterV2.tableProperty"};
  if (message.mode() != Message::MODE_CREATE)
    return UnsupportedCommand{"DataFrameWriterV2 other than create()"};
  return unresolved::WriteTable{relation(message.input()),
                                message.provider(),
                                take(sql::parse_name(message.table_name())),
                                plan::SaveMode::kErrorIfExists,
                                {},
                                decode_options(message.options())};
}

}  // namespace deuteron::connect::decode
