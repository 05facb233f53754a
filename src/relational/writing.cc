#include "relational/writing.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/identifier.h"
#include "relational/file_listing.h"
#include "relational/partitioning.h"

namespace deuteron::relational {

namespace {

namespace fs = std::filesystem;
using plan::Options;
using plan::SaveMode;
using plan::resolved::Column;
using plan::resolved::RelationPtr;
using types::DataType;
using types::TypeId;

std::string option(const Options& options, const char* key, const std::string& otherwise) {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : found->second;
}

bool is_true(const Options& options, const char* key, bool otherwise) {
  const std::string value = option(options, key, otherwise ? "true" : "false");
  return value == "true" || value == "True" || value == "TRUE";
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

struct Codec {
  const char* format;
  const char* name;       // Spark's
  const char* duckdb;     // COPY's
  const char* extension;  // between name and format
};
constexpr Codec kCodecs[] = {
    {"parquet", "snappy", "snappy", ".snappy"},
    {"parquet", "none", "uncompressed", ""},
    {"parquet", "uncompressed", "uncompressed", ""},
    {"parquet", "gzip", "gzip", ".gz"},
    {"parquet", "zstd", "zstd", ".zstd"},
    {"csv", "none", "none", ""},
    {"csv", "uncompressed", "none", ""},
    {"csv", "gzip", "gzip", ".gz"},
    {"json", "none", "none", ""},
    {"json", "uncompressed", "none", ""},
    {"json", "gzip", "gzip", ".gz"},
};

Result<Codec> find_codec(const std::string& format, const Options& options, const RunContext& context) {
  std::string name = format == "parquet" ? "snappy" : "none";
  const auto setting = context.settings.find("spark.sql.parquet.compression.codec");
  if (format == "parquet" && setting != context.settings.end() && !setting->second.empty())
    name = setting->second;
  name = lower_case(option(options, "compression", option(options, "codec", name)));
  for (const Codec& codec : kCodecs) {
    if (codec.format == format && codec.name == name) return codec;
  }
  return unsupported("the compression " + name + " of " + format + " files");
}

// The type in a Parquet file: instants are marked as such.
Result<std::string> parquet_type(const DataType& type) {
  switch (type.id()) {
    case TypeId::kTimestamp: return std::string("TIMESTAMPTZ");
    case TypeId::kNull:
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval:
    case TypeId::kCalendarInterval:
      return error("UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE",
                   {{"format", "Parquet"}, {"columnName", ""}, {"columnType", type.sql()}});
    case TypeId::kArray: {
      ASSIGN_OR_RETURN(const std::string element, parquet_type(type.element()));
      return element + "[]";
    }
    case TypeId::kMap: {
      ASSIGN_OR_RETURN(const std::string key, parquet_type(type.key()));
      ASSIGN_OR_RETURN(const std::string value, parquet_type(type.value()));
      return "MAP(" + key + ", " + value + ")";
    }
    case TypeId::kStruct: {
      if (type.fields().empty())
        return error("EMPTY_SCHEMA_NOT_SUPPORTED_FOR_DATASOURCE", {{"format", "Parquet"}});
      std::string text;
      for (const types::StructField& field : type.fields()) {
        ASSIGN_OR_RETURN(const std::string child, parquet_type(field.type));
        text += (text.empty() ? "" : ", ") + quote_name(field.name) + " " + child;
      }
      return "STRUCT(" + text + ")";
    }
    default: return duckdb_type(type);
  }
}

// yyyy-MM-dd'T'HH:mm:ss.SSSXXX in the session's zone.
std::string timestamp_text(const std::string& column, const std::string& time_zone) {
  if (time_zone == "UTC") return "strftime(" + column + ", '%Y-%m-%dT%H:%M:%S.%gZ')";
  const std::string local = "timezone(" + quote_text(time_zone) + ", CAST(" + column + " AS TIMESTAMPTZ))";
  const std::string minutes = "CAST(date_diff('minute', " + column + ", " + local + ") AS BIGINT)";
  return "strftime(" + local + ", '%Y-%m-%dT%H:%M:%S.%g') || CASE WHEN " + minutes +
         " = 0 THEN 'Z' ELSE printf('%s%02d:%02d', CASE WHEN " + minutes +
         " < 0 THEN '-' ELSE '+' END, abs(" + minutes + ") // 60, abs(" + minutes + ") % 60) END";
}

bool is_key(const WriteRequest& request, const std::string& name) {
  return std::any_of(request.partition_by.begin(), request.partition_by.end(),
                     [&](const std::string& key) { return lower_case(key) == lower_case(name); });
}

// CSV files are text: floating-point numbers as Spark prints them. Everything else is DuckDB's text too.
RelationPtr with_texts_of_numbers(const RelationPtr& fragment) {
  plan::resolved::Expressions expressions;
  std::vector<Column> columns = fragment->output;
  plan::resolved::ColumnId next = 0;
  for (const Column& column : columns) next = std::max(next, column.id + 1);
  bool changes = false;
  for (Column& column : columns) {
    plan::resolved::ExpressionPtr value = plan::resolved::make_expression(
        plan::resolved::ColumnReference{column.id}, column.type, column.nullable);
    if (column.type.is(TypeId::kDouble) || column.type.is(TypeId::kFloat)) {
      column.type = DataType(TypeId::kString);
      value = plan::resolved::make_expression(
          plan::resolved::Cast{std::move(value), plan::CastMode::kDefault}, column.type, column.nullable);
      column.id = next++;
      changes = true;
    }
    expressions.push_back(std::move(value));
  }
  if (!changes) return fragment;
  return plan::resolved::make_relation(plan::resolved::Project{fragment, std::move(expressions)},
                                       std::move(columns), fragment->partitions);
}

// The shortest text of a number, also of a float, which to_json would widen. JSON has none for what is not
// finite: Spark writes their names as texts.
std::string json_number(const std::string& column) {
  return "CASE WHEN isfinite(" + column + ") OR " + column + " IS NULL THEN CAST(CAST(" + column +
         " AS VARCHAR) AS JSON) WHEN isnan(" + column + ") THEN to_json('NaN') WHEN " + column +
         " > 0 THEN to_json('Infinity') ELSE to_json('-Infinity') END";
}

// The SELECT list of one file's columns.
Result<std::string> file_columns(const RelationPtr& relation, const WriteRequest& request,
                                 const RunContext& context) {
  std::string columns;
  std::string object;
  for (const Column& column : relation->output) {
    const std::string source = "c" + std::to_string(column.id);
    std::string value = source;
    const bool key = is_key(request, column.name);
    if (request.format == "parquet" && !key) {
      ASSIGN_OR_RETURN(const std::string type, parquet_type(column.type));
      value = "CAST(" + source + " AS " + type + ")";
    } else if (column.type.is_nested() && request.format == "csv") {
      return error("UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE", {{"format", "CSV"},
                                                            {"columnName", "`" + column.name + "`"},
                                                            {"columnType", "\"" + column.type.sql() + "\""}});
    } else if (column.type.is(TypeId::kTimestamp) && !key) {
      value = timestamp_text(source, context.time_zone);
    } else if (request.format == "json" && !key &&
               (column.type.is(TypeId::kDouble) || column.type.is(TypeId::kFloat))) {
      value = json_number(source);
    }
    if (request.format == "json" && !key) {
      object += (object.empty() ? "" : ", ") + quote_text(column.name) + ", " + value;
      continue;
    }
    columns += (columns.empty() ? "" : ", ") + value + " AS " + quote_name(column.name);
  }
  if (request.format == "json") {
    columns += (columns.empty() ? "" : ", ") + std::string("json_merge_patch('{}', json_object(") + object +
               "))::VARCHAR AS line";
  }
  return columns;
}

std::string copy_options(const WriteRequest& request, const Codec& codec) {
  std::string text;
  if (request.format == "parquet") {
    text = "FORMAT parquet, COMPRESSION " + std::string(codec.duckdb);
  } else if (request.format == "csv") {
    std::string separator = option(request.options, "sep", option(request.options, "delimiter", ","));
    if (separator == "\\t") separator = "\t";
    text = "FORMAT csv, COMPRESSION " + std::string(codec.duckdb) + ", HEADER " +
           (is_true(request.options, "header", false) ? "true" : "false") + ", DELIMITER " +
           quote_text(separator) + ", QUOTE " + quote_text(option(request.options, "quote", "\"")) +
           ", ESCAPE " + quote_text(option(request.options, "escape", "\\")) + ", NULLSTR " +
           quote_text(option(request.options, "nullvalue", ""));
    if (is_true(request.options, "quoteall", false)) text += ", FORCE_QUOTE *";
  } else {
    text = "FORMAT csv, COMPRESSION " + std::string(codec.duckdb) +
           ", HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'";
  }
  return text;
}

Status file_failure(const std::string& what, const std::string& path) {
  return error("CANNOT_WRITE_FILE", {{"path", path}, {"message", what + ": " + std::strerror(errno)}});
}

// A folder under construction; removed unless it was put in place.
class Staging {
 public:
  static Result<std::unique_ptr<Staging>> make(const std::string& target) {
    const fs::path path(target);
    std::error_code failure;
    fs::create_directories(path.parent_path(), failure);
    const std::string folder =
        (path.parent_path() / ("." + path.filename().string() + ".staging-" + random_uuid())).string();
    if (!fs::create_directory(folder, failure)) {
      errno = failure.value();
      return file_failure("cannot make a folder", folder);
    }
    return std::unique_ptr<Staging>(new Staging(folder));
  }
  ~Staging() {
    std::error_code failure;
    fs::remove_all(folder_, failure);
  }
  const std::string& folder() const { return folder_; }

  Status replace(const std::string& target) {
    // Exchanged in one step where the target exists: what is in staging then is the old content, and goes.
    if (renameat2(AT_FDCWD, folder_.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return Status();
    if (errno == ENOENT && rename(folder_.c_str(), target.c_str()) == 0) return Status();
    return file_failure("cannot put the new files in place", target);
  }

  // Adds the files to those of the target; each appears in one step.
  Status append(const std::string& target) {
    std::error_code failure;
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_, failure)) {
      if (entry.is_regular_file(failure)) files.push_back(entry.path());
    }
    for (const fs::path& file : files) {
      const fs::path place = fs::path(target) / file.lexically_relative(folder_);
      fs::create_directories(place.parent_path(), failure);
      fs::rename(file, place, failure);
      if (failure) {
        errno = failure.value();
        return file_failure("cannot put a new file in place", place.string());
      }
    }
    return Status();
  }

 private:
  explicit Staging(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

// As Spark calls a format in errors.
std::string display_name(const std::string& format) {
  return format == "parquet" ? "Parquet" : format == "csv" ? "CSV" : "JSON";
}

std::string padded(int64_t number) {
  std::string text = std::to_string(number);
  return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
}

class Writer {
 public:
  Writer(const EngineParts& parts, const RelationPtr& fragment, const RunContext& context,
         const WriteRequest& request, CancelToken& cancel)
      : parts_(parts), fragment_(fragment), context_(context), request_(request), cancel_(cancel) {}

  Status run() {
    ASSIGN_OR_RETURN(codec_, find_codec(request_.format, request_.options, context_));
    ASSIGN_OR_RETURN(columns_, file_columns(fragment_, request_, context_));
    RETURN_IF_ERROR(check_names());
    ASSIGN_OR_RETURN(const std::string target, local_path(request_.path));
    std::error_code failure;
    const bool exists = fs::exists(target, failure);
    if (exists && request_.mode == SaveMode::kErrorIfExists)
      return error("PATH_ALREADY_EXISTS", {{"outputPath", "file:" + target}});
    if (exists && request_.mode == SaveMode::kIgnore) return Status();
    const auto dynamic = context_.settings.find("spark.sql.sources.partitionOverwriteMode");
    if (request_.mode == SaveMode::kOverwrite && !request_.partition_by.empty() &&
        dynamic != context_.settings.end() && lower_case(dynamic->second) == "dynamic") {
      return unsupported(
          "overwriting single partitions (spark.sql.sources.partitionOverwriteMode = dynamic)");
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<Staging> staging, Staging::make(target));
    RETURN_IF_ERROR(write_parts(staging->folder()));
    const std::string mark = (fs::path(staging->folder()) / "_SUCCESS").string();
    if (!std::ofstream(mark)) return file_failure("cannot make a file", mark);
    return exists && request_.mode == SaveMode::kAppend ? staging->append(target) : staging->replace(target);
  }

 private:
  Status check_names() const {
    std::set<std::string> names;
    for (const Column& column : fragment_->output) {
      if (!names.insert(lower_case(column.name)).second) {
        return error("COLUMN_ALREADY_EXISTS", {{"columnName", "`" + lower_case(column.name) + "`"}});
      }
    }
    for (const std::string& key : request_.partition_by) {
      if (!names.contains(lower_case(key)))
        return error("COLUMN_NOT_FOUND",
                     {{"colName", "`" + key + "`"}, {"caseSensitiveConfig", "\"spark.sql.caseSensitive\""}});
    }
    if (fragment_->output.empty())
      return error("EMPTY_SCHEMA_NOT_SUPPORTED_FOR_DATASOURCE", {{"format", display_name(request_.format)}});
    if (request_.partition_by.size() == fragment_->output.size())
      return error("ALL_PARTITION_COLUMNS_NOT_ALLOWED");
    return Status();
  }

  // A file per partition, as Spark writes them; what cannot be cut is one file.
  Status write_parts(const std::string& folder) {
    const std::string id = random_uuid();
    ASSIGN_OR_RETURN(const std::optional<Cutting> cutting, cut_fragment(fragment_, context_, parts_.files));
    if (!cutting.has_value() || cutting->cuts.size() == 1)
      return write_part(folder, id, 0, {}, context_.on_progress);
    const size_t parts = cutting->cuts.size();
    for (size_t i = 0; i < parts; ++i) {
      const LeafCut& cut = cutting->cuts[i];
      const bool is_empty =
          cut.row_count == 0 ||
          (cut.files.empty() && std::holds_alternative<plan::resolved::FileScan>(cutting->leaf->node));
      if (is_empty && i > 0) continue;
      const auto on_progress = [&](double share) {
        if (context_.on_progress)
          context_.on_progress((static_cast<double>(i) + share) / static_cast<double>(parts));
      };
      RETURN_IF_ERROR(write_part(folder, id, static_cast<int64_t>(i), {cutting->leaf, cut}, on_progress));
    }
    return Status();
  }

  Status write_part(const std::string& folder, const std::string& id, int64_t number, const CutLeaf& cut,
                    const ProgressCallback& on_progress) {
    ASSIGN_OR_RETURN(const auto run, FragmentRun::make(parts_, fragment_, context_, cut));
    const std::string name =
        "part-" + padded(number) + "-" + id + (request_.partition_by.empty() ? "-c000" : ".c000");
    const std::string extension = request_.format == "parquet" ? std::string(codec_.extension) + ".parquet"
                                                               : "." + request_.format + codec_.extension;
    std::string sql = "COPY (SELECT " + columns_ + " FROM (" + run->sql() + ") AS rows) TO ";
    if (request_.partition_by.empty()) {
      sql += quote_text(folder + "/" + name + extension) + " (" + copy_options(request_, codec_) + ")";
    } else {
      std::string keys;
      for (const std::string& key : request_.partition_by)
        keys += (keys.empty() ? "" : ", ") + quote_name(key);
      sql += quote_text(folder) + " (" + copy_options(request_, codec_) + ", PARTITION_BY (" + keys +
             "), OVERWRITE_OR_IGNORE, FILENAME_PATTERN " + quote_text(name + "-{i}") + ", FILE_EXTENSION " +
             quote_text(extension.substr(1)) + ")";
    }
    ASSIGN_OR_RETURN(const Connection connection, parts_.database.connect());
    Statement statement(connection, cancel_, on_progress);
    if (statement.start(sql)) {
      while (statement.next() != nullptr) {
      }
    }
    return statement.failed() ? run->status_of(statement.failure(), cancel_) : Status();
  }

  EngineParts parts_;
  const RelationPtr& fragment_;
  const RunContext& context_;
  const WriteRequest& request_;
  CancelToken& cancel_;
  Codec codec_{};
  std::string columns_;
};

}  // namespace

Status write_files(const EngineParts& parts, const RelationPtr& fragment, const RunContext& context,
                   const WriteRequest& request, CancelToken& cancel) {
  WriteRequest normal = request;
  normal.format = lower_case(request.format.empty() ? "parquet" : request.format);
  if (normal.format == "orc" || normal.format == "avro" || normal.format == "text" ||
      normal.format == "xml" || normal.format == "jdbc") {
    return unsupported("writing files of the format " + request.format);
  }
  if (normal.format != "parquet" && normal.format != "csv" && normal.format != "json")
    return error("DATA_SOURCE_NOT_FOUND", {{"provider", request.format}});
  const RelationPtr written = normal.format == "csv" ? with_texts_of_numbers(fragment) : fragment;
  return Writer(parts, written, context, normal, cancel).run();
}

}  // namespace deuteron::relational
