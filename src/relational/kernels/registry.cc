#include "relational/kernels/registry.h"

#include <string>

#include "relational/kernels/vector_access.h"

namespace deuteron::relational {

using kernels::Signature;

Status register_kernel(duckdb_connection connection, std::string_view name) {
  const std::string text(name);
  if (kernels::is_decimal_kernel(name)) {
    if (kernels::register_decimal_kernel(connection, text) == DuckDBSuccess) return {};
    return internal_error("the kernel " + text + " was not registered");
  }
  if (kernels::is_aggregate_kernel(name)) {
    if (kernels::register_aggregate_kernel(connection, text) == DuckDBSuccess) return {};
    return internal_error("the kernel " + text + " was not registered");
  }
  std::optional<Signature> signature;
  for (const auto find : {kernels::find_number_kernel, kernels::find_text_kernel, kernels::find_time_kernel,
                          kernels::find_calendar_kernel, kernels::find_pattern_kernel,
                          kernels::find_format_kernel, kernels::find_exact_decimal_kernel,
                          kernels::find_hash_kernel, kernels::find_json_kernel, kernels::find_order_kernel}) {
    if (!signature) signature = find(name);
  }
  if (!signature) return internal_error("no kernel is called " + text);
  duckdb_scalar_function function = duckdb_create_scalar_function();
  duckdb_scalar_function_set_name(function, text.c_str());
  for (const duckdb_type argument : signature->arguments) {
    duckdb_logical_type type = duckdb_create_logical_type(argument);
    duckdb_scalar_function_add_parameter(function, type);
    duckdb_destroy_logical_type(&type);
  }
  if (signature->is_variadic) {
    duckdb_logical_type any = duckdb_create_logical_type(DUCKDB_TYPE_ANY);
    duckdb_scalar_function_set_varargs(function, any);
    duckdb_destroy_logical_type(&any);
  }
  duckdb_logical_type result = duckdb_create_logical_type(signature->result);
  if (signature->gives_list) {
    duckdb_logical_type element = result;
    result = duckdb_create_list_type(element);
    duckdb_destroy_logical_type(&element);
  }
  duckdb_scalar_function_set_return_type(function, result);
  duckdb_destroy_logical_type(&result);
  // Kernels answer null for null arguments themselves.
  duckdb_scalar_function_set_special_handling(function);
  duckdb_scalar_function_set_function(function, signature->body);
  const duckdb_state state = duckdb_register_scalar_function(connection, function);
  duckdb_destroy_scalar_function(&function);
  return state == DuckDBSuccess ? Status() : internal_error("the kernel " + text + " was not registered");
}

}  // namespace deuteron::relational
