// What the analysis asks a worker about a Python data source (python/deuteron/worker/data_sources.py): rows
// of (bytes, text, text), and the texts of its answer, of which the first tells a failure.
#pragma once

#include <string>
#include <vector>

#include "analyzer/analysis.h"
#include "analyzer/answer_reader.h"

namespace deuteron::analyzer {

resolved::ExpressionPtr bytes_literal(std::string bytes);
resolved::Expressions question(const std::string& bytes, const std::string& name, const std::string& value);
// How bytes are told in answers.
std::string from_hexadecimal(const std::string& digits);

// Runs a function of deuteron.worker.data_sources on the rows.
Result<AnswerReader> ask_worker(Analysis& analysis, const unresolved::PythonCall& python,
                                const std::string& function, std::vector<resolved::Expressions> rows);
// A source's function that runs in the tasks.
resolved::RelationPtr map_in_arrow(resolved::RelationPtr input, const unresolved::PythonCall& python,
                                   std::string command, resolved::Columns output, int32_t partitions);
// PYTHON_DATA_SOURCE_ERROR.
Status data_source_failed(const std::string& action, const std::string& type, const std::string& message);

}  // namespace deuteron::analyzer
