#include "relational/file_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "relational/file_listing.h"
#include "relational/lowering/lowering.h"

namespace deuteron::relational {

namespace {

using plan::Names;
using plan::Options;
using plan::resolved::FileScan;
using plan::resolved::Relation;
using types::DataType;
using types::Schema;
using types::TypeId;

constexpr size_t kCachedFiles = 10000;
// Less than this is not worth a statement of its own.
constexpr int64_t kSmallestSliceBytes = int64_t{16} << 20;

std::string option(const Options& options, const char* key, const char* otherwise) {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : found->second;
}

bool is_true(const Options& options, const char* key) {
  const std::string value = option(options, key, "false");
  return value == "true" || value == "True" || value == "TRUE";
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Options that change the answer and are not there yet. An empty value: any.
struct UnsupportedOption {
  const char* format;
  const char* key;
  const char* harmless;  // the value, in lower case, that asks for nothing
};
constexpr UnsupportedOption kUnsupportedOptions[] = {
    {"csv", "mode", "permissive"},
    {"json", "mode", "permissive"},
    {"csv", "encoding", "utf-8"},
    {"json", "encoding", "utf-8"},
    {"csv", "dateformat", "yyyy-mm-dd"},
    {"json", "dateformat", "yyyy-mm-dd"},
    {"csv", "timestampformat", ""},
    {"json", "timestampformat", ""},
    {"csv", "linesep", "\n"},
    {"json", "linesep", "\n"},
    {"csv", "chartoescapequoteescaping", ""},
    {"json", "prefersdecimal", "false"},
    {"", "modifiedbefore", ""},
    {"", "modifiedafter", ""},
};

Status check_options(const std::string& format, const Options& options) {
  for (const UnsupportedOption& entry : kUnsupportedOptions) {
    if (entry.format[0] != '\0' && entry.format != format) continue;
    const auto found = options.find(entry.key);
    if (found == options.end() || lower_case(found->second) == entry.harmless) continue;
    if (std::string_view(entry.key) == "mode" &&
        lower_case(found->second) == (format == "json" ? "dropmalformed" : "failfast"))
      continue;
    return unsupported("the option " + std::string(entry.key) + " = " + found->second + " of " + format +
                       " files");
  }
  return Status();
}

std::string list_text(const Names& names) {
  std::string text = "[";
  for (const std::string& name : names) text += (text.size() > 1 ? ", " : "") + quote_text(name);
  return text + "]";
}

Result<DataType> spark_type(duckdb_logical_type type);

Result<DataType> spark_type_and_destroy(duckdb_logical_type type) {
  Result<DataType> result = spark_type(type);
  duckdb_destroy_logical_type(&type);
  return result;
}

Result<DataType> spark_struct(duckdb_logical_type type) {
  Schema fields;
  for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i) {
    char* name = duckdb_struct_type_child_name(type, i);
    const std::string text = name;
    duckdb_free(name);
    ASSIGN_OR_RETURN(DataType child, spark_type_and_destroy(duckdb_struct_type_child_type(type, i)));
    fields.push_back({text, std::move(child), true, ""});
  }
  return DataType::structure(std::move(fields));
}

struct TypePair {
  ::duckdb_type duckdb;
  TypeId spark;
};
constexpr TypePair kTypes[] = {
    {DUCKDB_TYPE_BOOLEAN, TypeId::kBoolean},
    {DUCKDB_TYPE_TINYINT, TypeId::kByte},
    {DUCKDB_TYPE_SMALLINT, TypeId::kShort},
    {DUCKDB_TYPE_INTEGER, TypeId::kInteger},
    {DUCKDB_TYPE_BIGINT, TypeId::kLong},
    {DUCKDB_TYPE_UTINYINT, TypeId::kShort},
    {DUCKDB_TYPE_USMALLINT, TypeId::kInteger},
    {DUCKDB_TYPE_UINTEGER, TypeId::kLong},
    {DUCKDB_TYPE_FLOAT, TypeId::kFloat},
    {DUCKDB_TYPE_DOUBLE, TypeId::kDouble},
    {DUCKDB_TYPE_VARCHAR, TypeId::kString},
    {DUCKDB_TYPE_BLOB, TypeId::kBinary},
    {DUCKDB_TYPE_DATE, TypeId::kDate},
    {DUCKDB_TYPE_TIMESTAMP, TypeId::kTimestampNtz},
    {DUCKDB_TYPE_TIMESTAMP_MS, TypeId::kTimestampNtz},
    {DUCKDB_TYPE_TIMESTAMP_TZ, TypeId::kTimestamp},
};

// A type as DuckDB reads it from a file -> what Spark makes of the same file.
Result<DataType> spark_type(duckdb_logical_type type) {
  const ::duckdb_type id = duckdb_get_type_id(type);
  switch (id) {
    case DUCKDB_TYPE_UBIGINT: return DataType::decimal(20, 0);
    case DUCKDB_TYPE_DECIMAL:
      return DataType::decimal(duckdb_decimal_width(type), duckdb_decimal_scale(type));
    case DUCKDB_TYPE_LIST: {
      ASSIGN_OR_RETURN(DataType element, spark_type_and_destroy(duckdb_list_type_child_type(type)));
      return DataType::array(std::move(element));
    }
    case DUCKDB_TYPE_MAP: {
      ASSIGN_OR_RETURN(DataType key, spark_type_and_destroy(duckdb_map_type_key_type(type)));
      ASSIGN_OR_RETURN(DataType value, spark_type_and_destroy(duckdb_map_type_value_type(type)));
      return DataType::map(std::move(key), std::move(value));
    }
    case DUCKDB_TYPE_STRUCT: return spark_struct(type);
    case DUCKDB_TYPE_TIMESTAMP_NS:
      return error("PARQUET_TYPE_ILLEGAL", {{"parquetType", "INT64 (TIMESTAMP(NANOS,false))"}});
    default: break;
  }
  for (const TypePair& pair : kTypes) {
    if (pair.duckdb == id) return DataType(pair.spark);
  }
  return unsupported("a file column of DuckDB's type number " + std::to_string(id));
}

// The file's own name of a column: as written, else without regard to case; "" when the file lacks it.
std::string name_in_file(const Schema& file, const std::string& name) {
  for (const types::StructField& field : file) {
    if (field.name == name) return field.name;
  }
  for (const types::StructField& field : file) {
    if (lower_case(field.name) == lower_case(name)) return field.name;
  }
  return "";
}

bool is_partition_column(const FileScan& scan, const std::string& name) {
  return std::find(scan.partition_columns.begin(), scan.partition_columns.end(), name) !=
         scan.partition_columns.end();
}

std::string column_name(plan::resolved::ColumnId id) { return "c" + std::to_string(id); }

// Text of a timestamp in the session's zone (unless it names its own) -> UTC.
std::string zoned_timestamp(const std::string& text, const std::string& time_zone) {
  const std::string local = "TRY_CAST(" + text + " AS TIMESTAMP)";
  const std::string utc = time_zone == "UTC"
                              ? local
                              : "CAST(timezone(" + quote_text(time_zone) + ", " + local + ") AS TIMESTAMP)";
  return "CASE WHEN regexp_matches(" + text + ", '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$') AND regexp_matches(" +
         text + ", ':') THEN CAST(TRY_CAST(" + text + " AS TIMESTAMPTZ) AS TIMESTAMP) ELSE " + utc + " END";
}

// What Spark's CSV reader makes of text; null when it is not a value of the type.
std::string text_to_value(const std::string& text, const DataType& type, const std::string& time_zone) {
  switch (type.id()) {
    case TypeId::kString: return text;
    case TypeId::kTimestamp: return zoned_timestamp(text, time_zone);
    case TypeId::kByte:
    case TypeId::kShort:
    case TypeId::kInteger:
    case TypeId::kLong:
      // DuckDB also reads 1.5 and 1e3 as integers.
      return "CASE WHEN regexp_full_match(" + text + ", '[+-]?[0-9]+') THEN TRY_CAST(" + text + " AS " +
             duckdb_type(type) + ") END";
    case TypeId::kBoolean:
      return "CASE lower(" + text + ") WHEN 'true' THEN true WHEN 'false' THEN false END";
    default: return "TRY_CAST(" + text + " AS " + duckdb_type(type) + ")";
  }
}

bool fails_fast(const Options& options) {
  return lower_case(option(options, "mode", "permissive")) == "failfast";
}

std::string csv_separator(const Options& options) {
  const std::string separator = option(options, "sep", option(options, "delimiter", ",").c_str());
  return separator == "\\t" ? "\t" : separator;
}

std::string csv_options(const Options& options, bool header) {
  std::string text =
      ", all_varchar=true, null_padding=true, strict_mode=false, allow_quoted_nulls=false, new_line='\\n'";
  text += header ? ", header=true" : ", header=false";
  // Line breaks within quotes are found by a reader that starts at the beginning of the file only.
  if (is_true(options, "multiline")) text += ", parallel=false";
  text += ", delim=" + quote_text(csv_separator(options)) +
          ", quote=" + quote_text(option(options, "quote", "\"")) +
          ", escape=" + quote_text(option(options, "escape", "\\")) + ", nullstr=['', " +
          quote_text(option(options, "nullvalue", "")) + "]";
  const std::string comment = option(options, "comment", "");
  if (!comment.empty()) text += ", comment=" + quote_text(comment);
  return text;
}

// Lines and their fields (f): only so can be seen how many fields a line has. Fields are marked as csv_fields
// does.
std::string csv_line_reader(const Names& files, const Options& options, const std::string& hive) {
  const std::string comment = option(options, "comment", "");
  return "(SELECT *, string_split(csv_fields(line, " + quote_text(csv_separator(options)) + ", " +
         quote_text(option(options, "quote", "\"")) + ", " + quote_text(option(options, "escape", "\\")) +
         "), chr(65535)) AS f FROM read_csv(" + list_text(files) +
         ", columns={'line': 'VARCHAR'}, delim='\x01', quote='', escape='', comment='', auto_detect=false, "
         "nullstr='\x03', strict_mode=false, max_line_size=16777216, filename=true, header=" +
         (is_true(options, "header") ? "true" : "false") + hive + ") WHERE trim(line) <> ''" +
         (comment.empty() ? "" : " AND NOT starts_with(line, " + quote_text(comment) + ")") + ")";
}

// The text of field `index`, null when it is absent, or stands without quotes for null.
std::string csv_line_field(size_t index, const Options& options) {
  const std::string field = "f[" + std::to_string(index + 1) + "]";
  return "CASE WHEN " + field + " NOT IN ('u', " + quote_text("u" + option(options, "nullvalue", "")) +
         ") THEN substr(" + field + ", 2) END";
}

// Raised where a malformed record is an error; status_of reads the path out of it.
std::string malformed_record() { return "error('malformed record in \"file://' || filename || '\"')"; }

// Options for files whose columns are known.
std::string csv_reader(const Names& files, const Options& options, size_t columns) {
  std::string names = "{";
  for (size_t i = 0; i < columns; ++i)
    names += (i == 0 ? "'" : ", '") + std::string("f") + std::to_string(i) + "': 'VARCHAR'";
  return "read_csv(" + list_text(files) + csv_options(options, is_true(options, "header")) +
         ", auto_detect=false, columns=" + names + "})";
}

std::string trimmed(const std::string& column, const Options& options) {
  std::string text = column;
  if (is_true(options, "ignoreleadingwhitespace")) text = "ltrim(" + text + ")";
  if (is_true(options, "ignoretrailingwhitespace")) text = "rtrim(" + text + ")";
  return text;
}

// A string column. Spark keeps a field as it stands, quotes included, when a quote within it is not escaped
// by the escape character; DuckDB has taken the outer ones away.
std::string csv_text(const std::string& column, const Options& options) {
  const std::string quote = option(options, "quote", "\"");
  std::string text = trimmed(column, options);
  if (!quote.empty() && option(options, "escape", "\\") != quote) {
    const std::string doubled = quote_text(quote + quote);
    text = "CASE WHEN contains(" + text + ", " + doubled + ") THEN concat(" + quote_text(quote) + ", " +
           text + ", " + quote_text(quote) + ") ELSE " + text + " END";
  }
  const std::string empty = option(options, "emptyvalue", "");
  if (!empty.empty())
    text = "CASE WHEN " + column + " = '' THEN " + quote_text(empty) + " ELSE " + text + " END";
  return text;
}

// A table function's text with one more argument.
std::string with_argument(std::string reader, const std::string& argument) {
  return reader.insert(reader.size() - 1, argument);
}

// Columns: json (null when malformed), line (the text), and the partition columns.
std::string json_reader(const Names& files, const Options& options, const std::string& hive) {
  if (is_true(options, "multiline")) {
    return "(SELECT *, json::VARCHAR AS line FROM read_json_objects(" + list_text(files) +
           ", format='auto', maximum_object_size=134217728" + hive + "))";
  }
  // Lines are read as a CSV file of one column, so that a malformed one is a row like the others.
  return "(SELECT *, CASE WHEN json_valid(line) THEN line::JSON END AS json FROM read_csv(" +
         list_text(files) +
         ", columns={'line': 'VARCHAR'}, delim='\x01', quote='', escape='', comment='', header=false, "
         "auto_detect=false, nullstr='\x03', "
         "strict_mode=false, max_line_size=16777216" +
         hive + ") WHERE trim(line) <> '')";
}

constexpr const char* kNoHive = ", hive_partitioning=false";

// Rows of text files; an empty line is a row, the end of the last line is not.
std::string text_reader(const Names& files) {
  return "(SELECT *, unnest(string_split(regexp_replace(content, '\\r?\\n$', ''), chr(10))) AS line FROM "
         "read_text(" +
         list_text(files) + ") WHERE content <> '')";
}

// The structure that json_transform takes. Timestamps stay text until the zone is known.
nlohmann::json json_structure(const DataType& type) {
  switch (type.id()) {
    case TypeId::kArray: return nlohmann::json::array({json_structure(type.element())});
    case TypeId::kMap: return "MAP(VARCHAR, " + duckdb_type(type.value()) + ")";
    case TypeId::kStruct: {
      nlohmann::json structure = nlohmann::json::object();
      for (const types::StructField& field : type.fields())
        structure[field.name] = json_structure(field.type);
      return structure;
    }
    case TypeId::kTimestamp: return "VARCHAR";
    default: return duckdb_type(type);
  }
}

std::string corrupt_record_column(const Options& options) {
  return option(options, "columnnameofcorruptrecord", "_corrupt_record");
}

DataType type_of_structure(const nlohmann::json& structure, bool only_text) {
  if (structure.is_array()) {
    return DataType::array(structure.empty() ? DataType(TypeId::kString)
                                             : type_of_structure(structure[0], only_text));
  }
  if (structure.is_object()) {
    Schema fields;  // nlohmann's objects are sorted by name, as Spark sorts them
    for (const auto& [name, child] : structure.items())
      fields.push_back({name, type_of_structure(child, only_text), true, ""});
    return DataType::structure(std::move(fields));
  }
  const std::string name = structure.is_string() && !only_text ? structure.get<std::string>() : "";
  if (name == "BIGINT" || name == "UBIGINT") return DataType(TypeId::kLong);
  if (name == "HUGEINT") return DataType::decimal(38, 0);
  if (name == "DOUBLE") return DataType(TypeId::kDouble);
  if (name == "BOOLEAN") return DataType(TypeId::kBoolean);
  return DataType(TypeId::kString);
}

int64_t integer(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int64_t setting(const RunContext& context, const char* key, int64_t otherwise) {
  const auto found = context.settings.find(key);
  if (found == context.settings.end() || found->second.empty()) return otherwise;
  const std::string& text = found->second;
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc()) return otherwise;
  const std::string unit = lower_case(std::string(result.ptr, text.data() + text.size()));
  if (unit.starts_with("k")) return value << 10;
  if (unit.starts_with("m")) return value << 20;
  if (unit.starts_with("g")) return value << 30;
  return value;
}

}  // namespace

Result<std::vector<std::vector<std::string>>> FileSources::rows_of(const std::string& sql) {
  ASSIGN_OR_RETURN(const Connection connection, database_.connect());
  duckdb_result result{};
  std::vector<std::vector<std::string>> rows;
  Status status;
  if (duckdb_query(connection.handle(), sql.c_str(), &result) != DuckDBSuccess) {
    const char* message = duckdb_result_error(&result);
    status = status_of({duckdb_result_error_type(&result), message == nullptr ? "" : message, false});
  } else {
    for (idx_t row = 0; row < duckdb_row_count(&result); ++row) {
      auto& values = rows.emplace_back();
      for (idx_t column = 0; column < duckdb_column_count(&result); ++column) {
        char* text = duckdb_value_varchar(&result, column, row);
        values.emplace_back(text == nullptr ? "" : text);
        duckdb_free(text);
      }
    }
  }
  duckdb_destroy_result(&result);
  if (!status.ok()) return status;
  return rows;
}

Result<FileSources::ParquetFilePtr> FileSources::parquet_file(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0)
    return error("FAILED_READ_FILE.FILE_NOT_EXIST", {{"path", "file:" + path}});
  const int64_t modified = static_cast<int64_t>(file.st_mtim.tv_sec) * 1000000000 + file.st_mtim.tv_nsec;
  {
    const std::lock_guard lock(mutex_);
    const auto found = parquet_files_.find(path);
    if (found != parquet_files_.end() && found->second->modified == modified &&
        found->second->bytes == static_cast<uint64_t>(file.st_size)) {
      return found->second;
    }
  }
  auto described = std::make_shared<ParquetFile>();
  described->modified = modified;
  described->bytes = static_cast<uint64_t>(file.st_size);
  const auto unreadable = [&](const std::string& message) {
    return failed_read("FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER", "file:" + path, message);
  };
  ASSIGN_OR_RETURN(const Connection connection, database_.connect());
  duckdb_prepared_statement prepared = nullptr;
  const std::string sql = "SELECT * FROM read_parquet(" + quote_text(path) + ", hive_partitioning=false)";
  if (duckdb_prepare(connection.handle(), sql.c_str(), &prepared) != DuckDBSuccess) {
    Status status = unreadable(duckdb_prepare_error(prepared));
    duckdb_destroy_prepare(&prepared);
    return status;
  }
  Status status;
  for (idx_t i = 0; status.ok() && i < duckdb_prepared_statement_column_count(prepared); ++i) {
    const char* name = duckdb_prepared_statement_column_name(prepared, i);
    Result<DataType> type =
        spark_type_and_destroy(duckdb_prepared_statement_column_logical_type(prepared, i));
    status = type.status();
    if (type.ok()) described->columns.push_back({name, *std::move(type), true, ""});
    duckdb_free(const_cast<char*>(name));
  }
  duckdb_destroy_prepare(&prepared);
  RETURN_IF_ERROR(status);
  // Spark wrote instants as INT96 once; DuckDB reads them as plain timestamps.
  ASSIGN_OR_RETURN(const auto old_timestamps,
                   rows_of("SELECT name FROM parquet_schema(" + quote_text(path) + ") WHERE type = 'INT96'"));
  for (const auto& row : old_timestamps) {
    for (types::StructField& field : described->columns) {
      if (field.name == row[0] && field.type.is(TypeId::kTimestampNtz))
        field.type = DataType(TypeId::kTimestamp);
    }
  }
  ASSIGN_OR_RETURN(
      const auto groups,
      rows_of("SELECT any_value(row_group_num_rows), min(CASE WHEN dictionary_page_offset > 0 THEN "
              "least(dictionary_page_offset, data_page_offset) ELSE data_page_offset END), "
              "sum(total_compressed_size)::BIGINT "
              "FROM parquet_metadata(" +
              quote_text(path) + ") GROUP BY row_group_id ORDER BY row_group_id"));
  for (const auto& row : groups)
    described->row_groups.push_back({integer(row[0]), integer(row[1]), integer(row[2])});
  const std::lock_guard lock(mutex_);
  if (parquet_files_.size() >= kCachedFiles) parquet_files_.clear();
  parquet_files_[path] = described;
  return ParquetFilePtr(described);
}

Result<Schema> FileSources::infer_csv(const Names& files, const Options& options) {
  ASSIGN_OR_RETURN(const auto head, rows_of("SELECT * FROM read_csv(" + quote_text(files.front()) +
                                            csv_options(options, false) +
                                            ", sample_size=1000, hive_partitioning=false) LIMIT 1"));
  if (head.empty()) return Schema();
  Schema schema;
  const bool header = is_true(options, "header");
  std::map<std::string, int> seen;
  for (const std::string& name : head[0]) ++seen[lower_case(name)];
  for (size_t i = 0; i < head[0].size(); ++i) {
    std::string name = header && !head[0][i].empty() ? head[0][i] : "_c" + std::to_string(i);
    if (header && seen[lower_case(name)] > 1) name += std::to_string(i);
    schema.push_back({std::move(name), DataType(TypeId::kString), true, ""});
  }
  if (!is_true(options, "inferschema")) return schema;
  struct Candidate {
    TypeId type;
    const char* test;  // {} stands for the text
  };
  static constexpr Candidate kCandidates[] = {
      {TypeId::kInteger, "regexp_full_match({}, '[+-]?[0-9]+') AND TRY_CAST({} AS INTEGER) IS NOT NULL"},
      {TypeId::kLong, "regexp_full_match({}, '[+-]?[0-9]+') AND TRY_CAST({} AS BIGINT) IS NOT NULL"},
      {TypeId::kDouble,
       "regexp_full_match({}, "
       "'\\s*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?\\s*|NaN|-?Inf|-?Infinity')"},
      {TypeId::kDate,
       "regexp_full_match({}, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST({} AS DATE) IS NOT NULL"},
      {TypeId::kTimestamp,
       "regexp_full_match({}, '[0-9]{4}-[0-9]{2}-[0-9]{2}([ "
       "T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?')"},
      {TypeId::kBoolean, "lower({}) IN ('true', 'false')"},
  };
  std::string sql = "SELECT ";
  for (size_t i = 0; i < schema.size(); ++i) {
    const std::string column = trimmed("f" + std::to_string(i), options);
    sql += (i == 0 ? "" : ", ") + std::string("count(") + column + ")";
    for (const Candidate& candidate : kCandidates) {
      std::string test = candidate.test;
      for (size_t at = test.find("{}"); at != std::string::npos; at = test.find("{}", at + column.size()))
        test.replace(at, 2, column);
      sql += ", count(*) FILTER (WHERE " + test + ")";
    }
  }
  ASSIGN_OR_RETURN(const auto counts, rows_of(sql + " FROM " +
                                              with_argument(csv_reader(files, options, schema.size()),
                                                            ", hive_partitioning=false")));
  constexpr size_t kWidth = std::size(kCandidates) + 1;
  for (size_t i = 0; i < schema.size(); ++i) {
    const int64_t values = integer(counts[0][i * kWidth]);
    for (size_t k = 0; values > 0 && k < std::size(kCandidates); ++k) {
      if (integer(counts[0][i * kWidth + 1 + k]) != values) continue;
      schema[i].type = DataType(kCandidates[k].type);
      break;
    }
  }
  return schema;
}

Result<Schema> FileSources::infer_json(const Names& files, const Options& options) {
  ASSIGN_OR_RETURN(const auto rows,
                   rows_of("SELECT json_group_structure(json), count(*) FILTER (WHERE json IS NULL) FROM " +
                           json_reader(files, options, kNoHive)));
  if (rows.empty() || rows[0][0].empty()) return Schema();
  const nlohmann::json structure = nlohmann::json::parse(rows[0][0], nullptr, false);
  if (!structure.is_object()) return Schema({{"_corrupt_record", DataType(TypeId::kString), true, ""}});
  Schema schema = type_of_structure(structure, is_true(options, "primitivesasstring")).fields();
  if (integer(rows[0][1]) > 0 && lower_case(option(options, "mode", "permissive")) == "permissive") {
    schema.push_back({corrupt_record_column(options), DataType(TypeId::kString), true, ""});
    std::sort(schema.begin(), schema.end(),
              [](const auto& left, const auto& right) { return left.name < right.name; });
  }
  return schema;
}

Result<catalog::FileSource> FileSources::describe(const std::string& format, const Names& paths,
                                                  const Options& options, const Schema& schema) {
  const std::string kind = lower_case(format.empty() ? "parquet" : format);
  static const std::set<std::string> kFormats = {"parquet", "csv", "json", "text"};
  if (!kFormats.contains(kind)) return unsupported("the data source " + format);
  RETURN_IF_ERROR(check_options(kind, options));
  ASSIGN_OR_RETURN(const FileListing listing, list_files(paths, options));
  catalog::FileSource source;
  for (const ListedFile& file : listing.files) source.paths.push_back(file.path);
  Schema data;
  if (!schema.empty()) {
    data = schema;
  } else if (kind == "text") {
    data = {{"value", DataType(TypeId::kString), true, ""}};
  } else if (!source.paths.empty()) {
    if (kind == "parquet") {
      ASSIGN_OR_RETURN(data, merged_parquet_schema(source.paths, is_true(options, "mergeschema")));
    } else if (kind == "csv") {
      ASSIGN_OR_RETURN(data, infer_csv(source.paths, options));
    } else {
      ASSIGN_OR_RETURN(data, infer_json(source.paths, options));
    }
  }
  if (data.empty())
    return error("UNABLE_TO_INFER_SCHEMA", {{"format", kind == "parquet" ? "Parquet"
                                                       : kind == "csv"   ? "CSV"
                                                                         : "JSON"}});
  // Partition columns stand at the end, with the type that a given schema says.
  for (const types::StructField& column : listing.partition_columns) {
    types::StructField field = column;
    const auto given = std::find_if(data.begin(), data.end(), [&](const types::StructField& candidate) {
      return lower_case(candidate.name) == lower_case(column.name);
    });
    if (given != data.end()) {
      if (!schema.empty()) field.type = given->type;
      data.erase(given);
    }
    source.partition_columns.push_back(field.name);
    source.schema.push_back(std::move(field));
  }
  source.schema.insert(source.schema.begin(), data.begin(), data.end());
  for (types::StructField& field : source.schema) field.nullable = true;
  return source;
}

// The first file's columns; when all files are to be merged, those of the others after them.
Result<Schema> FileSources::merged_parquet_schema(const Names& files, bool merge) {
  Schema schema;
  for (const std::string& path : files) {
    ASSIGN_OR_RETURN(const ParquetFilePtr file, parquet_file(path));
    for (const types::StructField& field : file->columns) {
      const auto known = std::find_if(schema.begin(), schema.end(), [&](const types::StructField& other) {
        return other.name == field.name;
      });
      if (known == schema.end()) {
        schema.push_back(field);
      } else if (!known->type.same_type(field.type)) {
        const auto text = [](const Schema& fields) {
          return "\"" + DataType::structure(fields).sql() + "\"";
        };
        return error("CANNOT_MERGE_SCHEMAS", {{"left", text(schema)}, {"right", text(file->columns)}});
      }
    }
    if (!merge) break;
  }
  return schema;
}

// The scan's columns, read from files that have `in_file`: null where there is no such column.
Result<std::string> FileSources::parquet_columns(const Relation& relation, const FileScan& scan,
                                                 const Schema& in_file) {
  std::string columns;
  for (size_t i = 0; i < relation.output.size(); ++i) {
    const types::StructField& field = scan.schema[i];
    const bool is_key = is_partition_column(scan, field.name);
    const std::string name = is_key ? field.name : name_in_file(in_file, field.name);
    ASSIGN_OR_RETURN(const std::string carrier, carrier_of(field.type));
    const std::string value = name.empty() ? "NULL" : quote_name(name);
    columns += (i == 0 ? "" : ", ") + std::string("CAST(") + value + " AS " + carrier + ") AS " +
               column_name(relation.output[i].id);
  }
  return columns.empty() ? std::string("NULL AS no_column") : columns;
}

Result<std::string> FileSources::scan_sql(const Relation& relation, const FileScan& scan,
                                          const std::string& time_zone,
                                          const std::vector<FilePiece>* pieces) {
  if (relation.output.size() != scan.schema.size())
    return internal_error("a file scan whose output is not its schema");
  RETURN_IF_ERROR(check_options(scan.format, scan.options));
  Names whole;
  std::vector<FilePiece> parts;
  if (pieces == nullptr) {
    whole = scan.paths;
  } else {
    for (const FilePiece& piece : *pieces) {
      if (piece.end_row < 0) {
        whole.push_back(piece.path);
      } else {
        parts.push_back(piece);
      }
    }
  }
  if (whole.empty() && parts.empty()) {
    std::string nothing;
    for (size_t i = 0; i < relation.output.size(); ++i) {
      nothing += (i == 0 ? "" : ", ") + std::string("CAST(NULL AS ") + duckdb_type(scan.schema[i].type) +
                 ") AS " + column_name(relation.output[i].id);
    }
    return "(SELECT " + (nothing.empty() ? "NULL AS no_column" : nothing) + " WHERE false)";
  }
  const std::string hive =
      (scan.partition_columns.empty() ? ", hive_partitioning="
                                      : ", hive_partitioning=true, hive_types_autocast=") +
      std::string(kFalseParameter);
  if (scan.format == "parquet") {
    std::vector<std::string> selects;
    if (!whole.empty()) {
      ASSIGN_OR_RETURN(const Schema in_files,
                       merged_parquet_schema(scan.paths, is_true(scan.options, "mergeschema")));
      ASSIGN_OR_RETURN(const std::string columns, parquet_columns(relation, scan, in_files));
      selects.push_back("SELECT " + columns + " FROM read_parquet(" + list_text(whole) + hive +
                        (whole.size() > 1 ? ", union_by_name=true)" : ")"));
    }
    for (const FilePiece& part : parts) {
      ASSIGN_OR_RETURN(const ParquetFilePtr file, parquet_file(part.path));
      ASSIGN_OR_RETURN(const std::string columns, parquet_columns(relation, scan, file->columns));
      selects.push_back("SELECT " + columns + " FROM read_parquet(" + quote_text(part.path) + hive +
                        ", file_row_number=true) WHERE file_row_number >= " + std::to_string(part.first_row) +
                        " AND file_row_number < " + std::to_string(part.end_row));
    }
    std::string sql = "(" + selects[0];
    for (size_t i = 1; i < selects.size(); ++i) sql += " UNION ALL " + selects[i];
    return sql + ")";
  }
  std::string columns;
  size_t data_columns = 0;
  const auto add = [&](size_t i, const std::string& value) {
    columns += (columns.empty() ? "" : ", ") + value + " AS " + column_name(relation.output[i].id);
  };
  const size_t data_fields = relation.output.size() - scan.partition_columns.size();
  nlohmann::json structure = nlohmann::json::object();
  for (size_t i = 0; i < relation.output.size(); ++i) {
    const types::StructField& field = scan.schema[i];
    if (is_partition_column(scan, field.name)) {
      add(i, "CAST(" + quote_name(field.name) + " AS " + duckdb_type(field.type) + ")");
    } else if (scan.format == "csv" && field.name == corrupt_record_column(scan.options)) {
      return unsupported("the column of corrupt records in CSV files");
    } else if (scan.format == "csv" && fails_fast(scan.options)) {
      const std::string text = trimmed(csv_line_field(data_columns, scan.options), scan.options);
      const std::string value = text_to_value(text, field.type, time_zone);
      // The number of fields is looked at with the first column: who reads others alone does not care.
      std::string malformed = data_columns++ == 0 ? "len(f) <> " + std::to_string(data_fields) : "false";
      if (!field.type.is(TypeId::kString))
        malformed += " OR (" + text + " IS NOT NULL AND " + value + " IS NULL)";
      add(i, "CASE WHEN " + malformed + " THEN " + malformed_record() + " ELSE " + value + " END");
    } else if (scan.format == "csv") {
      const std::string column = "f" + std::to_string(data_columns++);
      add(i, field.type.is(TypeId::kString)
                 ? csv_text(column, scan.options)
                 : text_to_value(trimmed(column, scan.options), field.type, time_zone));
    } else if (scan.format == "json" && field.name == corrupt_record_column(scan.options)) {
      add(i, "CASE WHEN json IS NULL THEN line END");
    } else if (scan.format == "json") {
      structure[field.name] = json_structure(field.type);
      const std::string value = "row." + quote_name(field.name);
      add(i, field.type.is(TypeId::kTimestamp) ? zoned_timestamp(value, time_zone) : value);
    } else {
      add(i, "rtrim(line, chr(13))");
    }
  }
  std::string reader;
  if (scan.format == "csv" && fails_fast(scan.options)) {
    if (is_true(scan.options, "multiline"))
      return unsupported("CSV files with multiLine and the mode FAILFAST");
    RETURN_IF_ERROR(database_.ensure_kernels({"csv_fields"}));
    reader = csv_line_reader(whole, scan.options, hive);
  } else if (scan.format == "csv") {
    reader = with_argument(csv_reader(whole, scan.options, data_columns), hive);
  } else if (scan.format == "json") {
    reader = "(SELECT *, json_transform(json, " + quote_text(structure.dump()) + ") AS row FROM " +
             json_reader(whole, scan.options, hive);
    if (lower_case(option(scan.options, "mode", "permissive")) == "dropmalformed")
      reader += " WHERE json IS NOT NULL";
    reader += ")";
  } else {
    if (!scan.partition_columns.empty()) return unsupported("text files in partition folders");
    reader = text_reader(whole);
  }
  return "(SELECT " + (columns.empty() ? "NULL AS no_column" : columns) + " FROM " + reader + ")";
}

Result<std::vector<std::vector<FilePiece>>> FileSources::split(const FileScan& scan,
                                                               const RunContext& context) {
  // Spark: files are cut into splits of bytes, largest first, which are packed into partitions.
  struct Split {
    std::string path;
    int64_t begin = 0;
    int64_t bytes = 0;
  };
  const int64_t open_cost = setting(context, "spark.sql.files.openCostInBytes", int64_t{4} << 20);
  const int64_t most = setting(context, "spark.sql.files.maxPartitionBytes", int64_t{128} << 20);
  std::vector<std::pair<std::string, int64_t>> files;
  int64_t total = 0;
  for (const std::string& path : scan.paths) {
    struct stat file {};
    if (stat(path.c_str(), &file) != 0)
      return error("FAILED_READ_FILE.FILE_NOT_EXIST", {{"path", "file:" + path}});
    files.emplace_back(path, file.st_size);
    total += file.st_size + open_cost;
  }
  const int64_t minimum = setting(context, "spark.sql.files.minPartitionNum", context.default_parallelism);
  const int64_t split_bytes = std::min(most, std::max(open_cost, total / std::max<int64_t>(1, minimum)));
  const bool splittable = scan.format == "parquet";
  std::vector<Split> splits;
  for (const auto& [path, bytes] : files) {
    if (!splittable) {
      splits.push_back({path, 0, bytes});
      continue;
    }
    for (int64_t begin = 0; begin < bytes; begin += split_bytes)
      splits.push_back({path, begin, std::min(split_bytes, bytes - begin)});
  }
  std::stable_sort(splits.begin(), splits.end(),
                   [](const Split& left, const Split& right) { return left.bytes > right.bytes; });
  std::vector<std::vector<Split>> packed;
  int64_t size = 0;
  for (const Split& split : splits) {
    if (packed.empty() || size + split.bytes > split_bytes) {
      packed.emplace_back();
      size = 0;
    }
    packed.back().push_back(split);
    size += split.bytes + open_cost;
  }
  std::vector<std::vector<FilePiece>> partitions;
  for (const std::vector<Split>& members : packed) {
    auto& pieces = partitions.emplace_back();
    for (const Split& split : members) {
      if (!splittable) {
        pieces.push_back({split.path, 0, -1});
        continue;
      }
      // A split reads the row groups whose middle lies in it; they are neighbours.
      ASSIGN_OR_RETURN(const ParquetFilePtr file, parquet_file(split.path));
      FilePiece piece{split.path, -1, 0};
      int64_t row = 0;
      for (const RowGroup& group : file->row_groups) {
        const int64_t middle = group.begin + group.bytes / 2;
        if (middle >= split.begin && middle < split.begin + split.bytes) {
          if (piece.first_row < 0) piece.first_row = row;
          piece.end_row = row + group.rows;
        }
        row += group.rows;
      }
      if (piece.first_row == 0 && piece.end_row == row) piece.end_row = -1;
      if (piece.first_row >= 0) pieces.push_back(std::move(piece));
    }
  }
  return partitions;
}

Result<std::vector<std::vector<FilePiece>>> FileSources::slice(const FileScan& scan,
                                                               const std::vector<FilePiece>& pieces,
                                                               int32_t most) {
  std::vector<std::vector<FilePiece>> whole{pieces};
  if (scan.format != "parquet" || most < 2) return whole;
  std::vector<FilePiece> groups;
  std::vector<int64_t> middles;  // of the groups, in bytes from the partition's start
  int64_t total = 0;
  for (const FilePiece& piece : pieces) {
    ASSIGN_OR_RETURN(const ParquetFilePtr file, parquet_file(piece.path));
    int64_t row = 0;
    for (const RowGroup& group : file->row_groups) {
      const int64_t first = row;
      row += group.rows;
      if (first < piece.first_row || (piece.end_row >= 0 && first >= piece.end_row)) continue;
      groups.push_back({piece.path, first, row});
      middles.push_back(total + group.bytes / 2);
      total += group.bytes;
    }
  }
  const int64_t count = std::min<int64_t>(most, total / kSmallestSliceBytes);
  if (count < 2) return whole;
  std::vector<std::vector<FilePiece>> slices(static_cast<size_t>(count));
  for (size_t i = 0; i < groups.size(); ++i) {
    auto& slice = slices[static_cast<size_t>(middles[i] * count / total)];
    if (!slice.empty() && slice.back().path == groups[i].path &&
        slice.back().end_row == groups[i].first_row) {
      slice.back().end_row = groups[i].end_row;
    } else {
      slice.push_back(groups[i]);
    }
  }
  std::erase_if(slices, [](const auto& slice) { return slice.empty(); });
  return slices;
}

}  // namespace deuteron::relational
