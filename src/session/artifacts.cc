#include "session/artifacts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

namespace deuteron::session {
namespace {

namespace fs = std::filesystem;

bool is_plain_relative_path(const std::string& name) {
  if (name.empty() || name.size() > 1024 || name.front() == '/' || name.find('\0') != std::string::npos)
    return false;
  for (const fs::path& part : fs::path(name)) {
    if (part == ".." || part == "." || part.empty()) return false;
  }
  return true;
}

// "archives/x.zip#folder" is unpacked as "folder", "archives/x.zip" as "x.zip".
std::string folder_of_archive(const std::string& name) {
  const std::string file = name.substr(name.find('/') + 1);
  const size_t mark = file.rfind('#');
  return mark == std::string::npos ? file : file.substr(mark + 1);
}

Status invalid_name(const std::string& name) { return error("INVALID_ARTIFACT_NAME", {{"name", name}}); }

}  // namespace

Artifacts::Artifacts(std::string directory, uint64_t limit_bytes, Unpack unpack)
    : directory_(std::move(directory)), limit_bytes_(limit_bytes), unpack_(std::move(unpack)) {}

Artifacts::~Artifacts() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

Status Artifacts::add(const std::string& name, std::string content) {
  if (!is_plain_relative_path(name)) return invalid_name(name);
  std::lock_guard lock(mutex_);
  if (used_bytes_ + content.size() > limit_bytes_) {
    return error("ARTIFACT_LIMIT_EXCEEDED", {{"name", name}, {"limit", std::to_string(limit_bytes_)}});
  }
  if (name.starts_with("cache/")) {
    const uint64_t size = content.size();
    if (cached_.emplace(name.substr(6), std::make_shared<const std::string>(std::move(content))).second) {
      used_bytes_ += size;
    }
    return {};
  }
  if (!name.starts_with("pyfiles/") && !name.starts_with("files/") && !name.starts_with("archives/")) {
    return unsupported("artifacts of the kind " + name.substr(0, name.find('/')));
  }
  return store_file(name, content);
}

Status Artifacts::store_file(const std::string& name, const std::string& content) {
  const uint64_t hash = std::hash<std::string>{}(content);
  if (auto found = files_.find(name); found != files_.end()) {
    return found->second == hash ? Status()
                                 : error("ARTIFACT_ALREADY_EXISTS", {{"normalizedRemoteRelativePath", name}});
  }
  if (name.starts_with("archives/") && !is_plain_relative_path(folder_of_archive(name)))
    return invalid_name(name);
  RETURN_IF_ERROR(write_file(name, content));
  if (name.starts_with("archives/")) RETURN_IF_ERROR(unpack_archive(name));
  if (name.starts_with("pyfiles/")) add_python_path(name);
  has_files_ = has_files_ || name.starts_with("files/") || name.starts_with("archives/");
  files_.emplace(name, hash);
  used_bytes_ += content.size();
  return {};
}

Status Artifacts::write_file(const std::string& name, const std::string& content) const {
  const fs::path path = fs::path(directory_) / name;
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  if (!failure) fs::permissions(directory_, fs::perms::owner_all, failure);
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  return failure || !file ? internal_error("cannot store the artifact " + name) : Status();
}

// Holds the lock meanwhile: who asks for the session's files next shall find all of them.
Status Artifacts::unpack_archive(const std::string& name) {
  const std::string folder = folder_of_archive(name);
  const fs::path target = fs::path(directory_) / "files" / folder;
  std::error_code failure;
  fs::create_directories(target.parent_path(), failure);
  if (fs::exists(target, failure)) {
    return error("ARTIFACT_ALREADY_EXISTS", {{"normalizedRemoteRelativePath", "archives/" + folder}});
  }
  const fs::path archive = fs::path(directory_) / name;
  const Status unpacked = unpack_(archive.string(), target.string(), limit_bytes_ - used_bytes_);
  fs::remove(archive, failure);  // its content is all that is asked for
  if (!unpacked.ok()) {
    fs::remove_all(target, failure);
    return error("UNREADABLE_ARCHIVE", {{"name", name}, {"message", unpacked.detail().message}});
  }
  for (const auto& entry : fs::recursive_directory_iterator(target, failure)) {
    if (entry.is_regular_file(failure) && !entry.is_symlink(failure)) used_bytes_ += entry.file_size(failure);
  }
  return {};
}

void Artifacts::add_python_path(const std::string& name) {
  const fs::path path = fs::path(directory_) / name;
  const bool archive = name.ends_with(".zip") || name.ends_with(".egg") || name.ends_with(".whl");
  const std::string entry = archive ? path.string() : path.parent_path().string();
  if (std::find(python_paths_.begin(), python_paths_.end(), entry) == python_paths_.end())
    python_paths_.push_back(entry);
}

std::string Artifacts::files_directory() const {
  std::lock_guard lock(mutex_);
  return has_files_ ? directory_ + "/files" : "";
}

bool Artifacts::exists(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return name.starts_with("cache/") ? cached_.contains(name.substr(6)) : files_.contains(name);
}

plan::Bytes Artifacts::find_cached(const std::string& hash) const {
  std::lock_guard lock(mutex_);
  const auto found = cached_.find(hash);
  return found == cached_.end() ? nullptr : found->second;
}

std::vector<std::string> Artifacts::python_paths() const {
  std::lock_guard lock(mutex_);
  return python_paths_;
}

}  // namespace deuteron::session
