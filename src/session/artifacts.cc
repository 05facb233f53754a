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

Status invalid_name(const std::string& name) { return error("INVALID_ARTIFACT_NAME", {{"name", name}}); }

}  // namespace

Artifacts::Artifacts(std::string directory, uint64_t limit_bytes)
    : directory_(std::move(directory)), limit_bytes_(limit_bytes) {}

Artifacts::~Artifacts() {
  std::error_code ignored;
  if (!files_.empty()) fs::remove_all(directory_, ignored);
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
  const fs::path path = fs::path(directory_) / name;
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  if (!failure) fs::permissions(directory_, fs::perms::owner_all, failure);
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (failure || !file) return internal_error("cannot store the artifact " + name);
  files_.emplace(name, hash);
  used_bytes_ += content.size();
  if (name.starts_with("pyfiles/")) {
    const bool archive = name.ends_with(".zip") || name.ends_with(".egg") || name.ends_with(".whl");
    const std::string entry = archive ? path.string() : path.parent_path().string();
    if (std::find(python_paths_.begin(), python_paths_.end(), entry) == python_paths_.end()) {
      python_paths_.push_back(entry);
    }
  }
  return {};
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
