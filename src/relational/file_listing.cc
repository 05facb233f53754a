#include "relational/file_listing.h"

#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

namespace deuteron::relational {

namespace {

namespace fs = std::filesystem;
using types::DataType;
using types::TypeId;

constexpr std::string_view kNullPartition = "__HIVE_DEFAULT_PARTITION__";

bool is_true(const plan::Options& options, const char* key) {
  const auto option = options.find(key);
  return option != options.end() &&
         (option->second == "true" || option->second == "True" || option->second == "TRUE");
}

bool is_hidden(const std::string& name) {
  return name.starts_with(".") || (name.starts_with("_") && name.find('=') == std::string::npos);
}

std::string decode_percent(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      decoded += static_cast<char>(value);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool has_glob(const std::string& path) { return path.find_first_of("*?[{") != std::string::npos; }

Result<std::vector<std::string>> expand(const std::string& path) {
  if (!has_glob(path)) {
    std::error_code failure;
    if (!fs::exists(path, failure)) return error("PATH_NOT_FOUND", {{"path", "file:" + path}});
    return std::vector<std::string>{path};
  }
  glob_t matches{};
  std::vector<std::string> paths;
  if (glob(path.c_str(), GLOB_BRACE, nullptr, &matches) == 0) {
    for (size_t i = 0; i < matches.gl_pathc; ++i) paths.emplace_back(matches.gl_pathv[i]);
  }
  globfree(&matches);
  if (paths.empty()) return error("PATH_NOT_FOUND", {{"path", "file:" + path}});
  return paths;
}

// Adds the files below `folder`; `partition` are the keys on the way.
void walk(const fs::path& folder, bool recursive, const std::string& name_filter,
          const std::vector<std::pair<std::string, std::string>>& partition, std::vector<ListedFile>& files) {
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failure)) {
    const std::string name = entry.path().filename().string();
    if (is_hidden(name)) continue;
    if (entry.is_directory(failure)) {
      const size_t equals = name.find('=');
      auto below = partition;
      if (!recursive && equals == std::string::npos) continue;  // plain sub-folders are not read
      if (!recursive)
        below.emplace_back(name.substr(0, equals), decode_percent(std::string_view(name).substr(equals + 1)));
      walk(entry.path(), recursive, name_filter, below, files);
    } else if (entry.is_regular_file(failure)) {
      if (!name_filter.empty() && fnmatch(name_filter.c_str(), name.c_str(), 0) != 0) continue;
      files.push_back({entry.path().string(), entry.file_size(failure), partition});
    }
  }
}

template <typename T>
bool parses(const std::string& text) {
  T value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool is_date(const std::string& text) {
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && parses<int>(text.substr(0, 4)) &&
         parses<int>(text.substr(5, 2)) && parses<int>(text.substr(8, 2));
}

// Spark's inference for partition values, narrowest first.
DataType infer_partition_type(const std::vector<std::string>& values) {
  const auto all = [&](auto&& test) { return std::all_of(values.begin(), values.end(), test); };
  if (values.empty()) return DataType(TypeId::kString);
  if (all(parses<int32_t>)) return DataType(TypeId::kInteger);
  if (all(parses<int64_t>)) return DataType(TypeId::kLong);
  if (all(parses<double>)) return DataType(TypeId::kDouble);
  if (all(is_date)) return DataType(TypeId::kDate);
  return DataType(TypeId::kString);
}

// Each file must lie below folders of the same keys.
Status check_partition_names(const std::vector<ListedFile>& files) {
  std::vector<std::pair<std::vector<std::string>, std::set<std::string>>> lists;  // keys, folders
  for (const ListedFile& file : files) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : file.partition) keys.push_back(key);
    auto list =
        std::find_if(lists.begin(), lists.end(), [&](const auto& known) { return known.first == keys; });
    if (list == lists.end()) list = lists.insert(lists.end(), {std::move(keys), {}});
    list->second.insert(std::filesystem::path(file.path).parent_path().string());
  }
  if (lists.size() < 2) return Status();
  std::stable_sort(lists.begin(), lists.end(),
                   [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  std::string names, folders;
  for (size_t i = 0; i < lists.size(); ++i) {
    names += "\n\tPartition column name list #" + std::to_string(i) + ": ";
    for (const std::string& key : lists[i].first) names += (key == lists[i].first.front() ? "" : ", ") + key;
    for (const std::string& folder : lists[i].second) folders += "\n\tfile:" + folder;
  }
  return error("CONFLICTING_PARTITION_COLUMN_NAMES",
               {{"distinctPartColLists", names + "\n"}, {"suspiciousPaths", folders}});
}

Result<types::Schema> partition_schema(const std::vector<ListedFile>& files) {
  types::Schema schema;
  if (files.empty()) return schema;
  for (const auto& [key, value] : files.front().partition)
    schema.push_back({key, DataType(TypeId::kString), true, ""});
  RETURN_IF_ERROR(check_partition_names(files));
  for (size_t i = 0; i < schema.size(); ++i) {
    std::vector<std::string> values;
    for (const ListedFile& file : files) {
      if (file.partition[i].second != kNullPartition) values.push_back(file.partition[i].second);
    }
    schema[i].type = infer_partition_type(values);
  }
  return schema;
}

}  // namespace

Result<std::string> local_path(const std::string& path) {
  std::string local = path;
  const size_t colon = path.find(':');
  if (path.starts_with("file:")) {
    local = path.substr(5);
    while (local.starts_with("//")) local.erase(0, 1);
  } else if (colon != std::string::npos && path.find('/') == colon + 1 && colon > 1) {
    return unsupported("the file system " + path.substr(0, colon));
  }
  return fs::absolute(local).lexically_normal().string();
}

Result<FileListing> list_files(const plan::Names& paths, const plan::Options& options) {
  const bool recursive = is_true(options, "recursivefilelookup");
  const auto filter = options.find("pathglobfilter");
  const std::string name_filter = filter == options.end() ? "" : filter->second;
  FileListing listing;
  for (const std::string& given : paths) {
    ASSIGN_OR_RETURN(const std::string path, local_path(given));
    ASSIGN_OR_RETURN(const std::vector<std::string> roots, expand(path));
    for (const std::string& root : roots) {
      std::error_code failure;
      if (!fs::is_directory(root, failure)) {
        listing.files.push_back({root, fs::file_size(root, failure), {}});
        continue;
      }
      std::vector<std::pair<std::string, std::string>> partition;
      const auto base = options.find("basepath");
      if (base != options.end()) {
        ASSIGN_OR_RETURN(const std::string base_path, local_path(base->second));
        for (const fs::path& part : fs::path(root).lexically_relative(base_path)) {
          const std::string name = part.string();
          if (const size_t equals = name.find('='); equals != std::string::npos) {
            partition.emplace_back(name.substr(0, equals),
                                   decode_percent(std::string_view(name).substr(equals + 1)));
          }
        }
      }
      walk(root, recursive, name_filter, partition, listing.files);
    }
  }
  std::sort(listing.files.begin(), listing.files.end(),
            [](const auto& left, const auto& right) { return left.path < right.path; });
  ASSIGN_OR_RETURN(listing.partition_columns, partition_schema(listing.files));
  return listing;
}

}  // namespace deuteron::relational
