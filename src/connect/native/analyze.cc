// NativeSession::analyze: questions about a plan that are answered without running it.
#include <functional>

#include "connect/decode/plan_decoder.h"
#include "connect/decode/plan_expansion.h"
#include "connect/encode/data_type.h"
#include "connect/native/session.h"
#include "sql/parser.h"

namespace deuteron::connect {
namespace {

namespace unresolved = plan::unresolved;
using spark::connect::AnalyzePlanRequest;
using spark::connect::AnalyzePlanResponse;

constexpr char kSparkVersion[] = "4.2.0";  // the protocol and behaviour that clients are to expect

std::string explain_mode(AnalyzePlanRequest::Explain::ExplainMode mode) {
  switch (mode) {
    case AnalyzePlanRequest::Explain::EXPLAIN_MODE_EXTENDED: return "extended";
    case AnalyzePlanRequest::Explain::EXPLAIN_MODE_CODEGEN: return "codegen";
    case AnalyzePlanRequest::Explain::EXPLAIN_MODE_COST: return "cost";
    case AnalyzePlanRequest::Explain::EXPLAIN_MODE_FORMATTED: return "formatted";
    default: return "simple";
  }
}

// The files that the scans of a plan read.
void collect_files(const plan::resolved::RelationPtr& relation, std::vector<std::string>& files) {
  if (relation == nullptr) return;
  std::visit(
      [&](const auto& node) {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, plan::resolved::FileScan>) {
          for (const std::string& path : node.paths) files.push_back("file://" + path);
        } else if constexpr (!std::is_same_v<Node, std::monostate>) {
          visit_fields(node, [&](const char*, const auto& field) {
            if constexpr (std::is_same_v<std::decay_t<decltype(field)>, plan::resolved::RelationPtr>) {
              collect_files(field, files);
            }
          });
        }
      },
      relation->node);
}

// A plan reads only what the client sent when it has no scan of files.
bool reads_no_files(const plan::resolved::RelationPtr& relation) {
  return plan::resolved::as<plan::resolved::LocalData>(relation) != nullptr ||
         plan::resolved::as<plan::resolved::Values>(relation) != nullptr;
}

execution::StorageLevel decode_level(const spark::connect::StorageLevel& level) {
  return {level.use_disk(), level.use_memory(), level.use_off_heap(), level.deserialized(),
          level.replication()};
}

void encode_level(const execution::StorageLevel& level, spark::connect::StorageLevel& message) {
  message.set_use_disk(level.use_disk);
  message.set_use_memory(level.use_memory);
  message.set_use_off_heap(level.use_off_heap);
  message.set_deserialized(level.deserialized);
  message.set_replication(level.replication);
}

}  // namespace

Result<unresolved::RelationPtr> NativeSession::decode_query(const spark::connect::Plan& message) {
  ASSIGN_OR_RETURN(const spark::connect::Plan plan, expand_plan(message));
  ASSIGN_OR_RETURN(const unresolved::Statement statement, decode::decode_plan(plan));
  if (const auto* relation = std::get_if<unresolved::RelationPtr>(&statement)) return *relation;
  return error("CONNECT_INVALID_PLAN.ASSERTION_FAILURE",
               {{"message", "A query is expected here, not a command."}});
}

Status NativeSession::analyze(const AnalyzePlanRequest& request, AnalyzePlanResponse& response) {
  using Request = AnalyzePlanRequest;
  switch (request.analyze_case()) {
    case Request::kSchema: {
      ASSIGN_OR_RETURN(const auto query, decode_query(request.schema().plan()));
      ASSIGN_OR_RETURN(const auto resolved, session_->analyze(query));
      *response.mutable_schema()->mutable_schema() =
          encode_schema(plan::resolved::to_schema(resolved->output));
      return {};
    }
    case Request::kExplain: {
      ASSIGN_OR_RETURN(const auto query, decode_query(request.explain().plan()));
      ASSIGN_OR_RETURN(*response.mutable_explain()->mutable_explain_string(),
                       session_->explain(query, explain_mode(request.explain().explain_mode())));
      return {};
    }
    case Request::kTreeString: {
      ASSIGN_OR_RETURN(const auto query, decode_query(request.tree_string().plan()));
      ASSIGN_OR_RETURN(const auto resolved, session_->analyze(query));
      const int level = request.tree_string().has_level() ? request.tree_string().level() : 0;
      response.mutable_tree_string()->set_tree_string(
          types::tree_string(plan::resolved::to_schema(resolved->output), level));
      return {};
    }
    case Request::kIsLocal: {
      ASSIGN_OR_RETURN(const auto query, decode_query(request.is_local().plan()));
      ASSIGN_OR_RETURN(const auto resolved, session_->analyze(query));
      response.mutable_is_local()->set_is_local(reads_no_files(resolved));
      return {};
    }
    case Request::kIsStreaming:
      RETURN_IF_ERROR(decode_query(request.is_streaming().plan()).status());
      response.mutable_is_streaming()->set_is_streaming(false);
      return {};
    case Request::kInputFiles: {
      ASSIGN_OR_RETURN(const auto query, decode_query(request.input_files().plan()));
      ASSIGN_OR_RETURN(const auto resolved, session_->analyze(query));
      std::vector<std::string> files;
      collect_files(resolved, files);
      auto& answer = *response.mutable_input_files();
      for (std::string& file : files) answer.add_files(std::move(file));
      return {};
    }
    case Request::kSparkVersion: response.mutable_spark_version()->set_version(kSparkVersion); return {};
    case Request::kDdlParse: {
      // A type, or else the columns of a table ("a int, b string").
      const std::string& text = request.ddl_parse().ddl_string();
      auto type = sql::parse_data_type(text);
      if (!type.ok()) {
        ASSIGN_OR_RETURN(types::Schema schema, sql::parse_schema(text));
        type = types::DataType::structure(std::move(schema));
      }
      *response.mutable_ddl_parse()->mutable_parsed() = encode_type(*type);
      return {};
    }
    case Request::kSameSemantics: {
      ASSIGN_OR_RETURN(const auto target, decode_query(request.same_semantics().target_plan()));
      ASSIGN_OR_RETURN(const auto other, decode_query(request.same_semantics().other_plan()));
      response.mutable_same_semantics()->set_result(unresolved::to_string(target) ==
                                                    unresolved::to_string(other));
      return {};
    }
    case Request::kSemanticHash: {
      ASSIGN_OR_RETURN(const auto query, decode_query(request.semantic_hash().plan()));
      response.mutable_semantic_hash()->set_result(
          static_cast<int32_t>(std::hash<std::string>{}(unresolved::to_string(query))));
      return {};
    }
    case Request::kPersist: {
      ASSIGN_OR_RETURN(const auto query, decode::decode_relation(request.persist().relation()));
      response.mutable_persist();
      return session_->persist(query, request.persist().has_storage_level()
                                          ? decode_level(request.persist().storage_level())
                                          : execution::kMemoryAndDisk);
    }
    case Request::kUnpersist: {
      ASSIGN_OR_RETURN(const auto query, decode::decode_relation(request.unpersist().relation()));
      response.mutable_unpersist();
      return session_->unpersist(query);
    }
    case Request::kGetStorageLevel: {
      ASSIGN_OR_RETURN(const auto query, decode::decode_relation(request.get_storage_level().relation()));
      ASSIGN_OR_RETURN(const execution::StorageLevel level, session_->storage_level(query));
      encode_level(level, *response.mutable_get_storage_level()->mutable_storage_level());
      return {};
    }
    case Request::kJsonToDdl: return unsupported("JSON schema to DDL");
    case Request::ANALYZE_NOT_SET: break;
  }
  return error("CONNECT_INVALID_PLAN.ASSERTION_FAILURE", {{"message", "The request asks for nothing."}});
}

}  // namespace deuteron::connect
