#include "resources/nvidia.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "base/log.h"
#include "base/program.h"

namespace deuteron::resources {
namespace {

namespace fs = std::filesystem;
using tasks::Resource;

struct Gpu {
  std::string bus;
  int32_t numa_node = -1;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// "Device Minor: 	 0"
std::optional<std::string> field(const std::string& text, const std::string& name) {
  const size_t found = text.find(name + ":");
  if (found == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(found + name.size() + 1));
  std::string value;
  rest >> value;
  return value;
}

// In the order of the bus. A container sees the files of other containers' GPUs, not their devices.
std::vector<Gpu> find_gpus(const std::string& root) {
  std::vector<Gpu> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root + "/proc/driver/nvidia/gpus", ignored)) {
    const auto minor = field(read_file(entry.path() / "information"), "Device Minor");
    if (!minor || !fs::exists(root + "/dev/nvidia" + *minor, ignored)) continue;
    Gpu gpu{entry.path().filename().string(), -1};
    std::istringstream node(read_file(root + "/sys/bus/pci/devices/" + gpu.bus + "/numa_node"));
    if (!(node >> gpu.numa_node)) gpu.numa_node = -1;
    found.push_back(std::move(gpu));
  }
  std::ranges::sort(found, {}, &Gpu::bus);
  return found;
}

bool has_slices(const std::string& root) {
  std::error_code ignored;
  for (const auto& gpu : fs::directory_iterator(root + "/proc/driver/nvidia/capabilities", ignored)) {
    for (const auto& slice : fs::directory_iterator(gpu.path() / "mig", ignored)) {
      if (slice.path().filename().string().starts_with("gi")) return true;
    }
  }
  return false;
}

using Groups = std::vector<std::vector<int32_t>>;

Groups numa_groups(const std::vector<Gpu>& gpus) {
  std::map<int32_t, std::vector<int32_t>> by_node;
  for (size_t index = 0; index < gpus.size(); ++index) {
    if (gpus[index].numa_node >= 0) by_node[gpus[index].numa_node].push_back(static_cast<int32_t>(index));
  }
  Groups groups;
  for (auto& [node, members] : by_node) groups.push_back(std::move(members));
  return groups;
}

// The table of `nvidia-smi topo -m`: a line for each GPU, "NV4" where two have links.
Groups link_groups(const std::string& table, size_t count) {
  std::vector<int32_t> group(count);
  std::iota(group.begin(), group.end(), 0);
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || !word.starts_with("GPU")) continue;
    const auto one = static_cast<size_t>(std::atoi(word.c_str() + 3));
    for (size_t other = 0; other < count && words >> word; ++other) {
      if (one >= count || !word.starts_with("NV")) continue;
      std::ranges::replace(group, group[other], group[one]);
    }
  }
  std::map<int32_t, std::vector<int32_t>> members;
  for (size_t index = 0; index < count; ++index) members[group[index]].push_back(static_cast<int32_t>(index));
  Groups groups;
  for (auto& [number, its] : members) {
    if (its.size() > 1 && its.size() < count) groups.push_back(std::move(its));
  }
  return groups;
}

bool lies_within(const std::vector<int32_t>& one, const std::vector<int32_t>& other) {
  return std::ranges::includes(other, one);
}

// Links count for more: a node that cuts through them is no group.
Groups joined(Groups links, const Groups& nodes) {
  const size_t number_of_links = links.size();
  for (const auto& node : nodes) {
    const bool cuts = std::any_of(
        links.begin(), links.begin() + static_cast<ptrdiff_t>(number_of_links), [&](const auto& link) {
          std::vector<int32_t> common;
          std::ranges::set_intersection(link, node, std::back_inserter(common));
          return !common.empty() && !lies_within(link, node) && !lies_within(node, link);
        });
    if (!cuts && std::ranges::count(links, node) == 0) links.push_back(node);
  }
  return links;
}

// `nvidia-smi -L`: "GPU 0: …", and below it "  MIG 1g.10gb  Device 0: (UUID: MIG-…)".
struct Listing {
  std::map<std::string, Resource> slices;
  std::set<size_t> cut_gpus;  // by index
};

Listing read_listing(const std::string& text) {
  Listing listing;
  size_t gpu = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    std::string name;
    words >> kind >> name;
    if (kind == "GPU") gpu = static_cast<size_t>(std::atoi(name.c_str()));
    const size_t uuid = line.find("(UUID: MIG-");
    if (kind != "MIG" || uuid == std::string::npos) continue;
    const size_t begin = uuid + std::string("(UUID: ").size();
    listing.slices["mig-" + name].addresses.push_back(line.substr(begin, line.find(')', begin) - begin));
    listing.cut_gpus.insert(gpu);
  }
  return listing;
}

std::string ask(const NvidiaPlaces& places, const std::string& option, const std::string& other = "") {
  std::vector<std::string> command = {places.program, option};
  if (!other.empty()) command.push_back(other);
  auto text = output_of(command);
  if (text.ok()) return *std::move(text);
  log_warning(places.program + " " + option + ": " + text.status().detail().message +
              "; how GPUs are linked and cut into slices is not known");
  return "";
}

}  // namespace

std::map<std::string, Resource> nvidia_gpus(const NvidiaPlaces& places) {
  const std::vector<Gpu> gpus = find_gpus(places.root);
  if (gpus.empty()) return {};
  Listing listing;
  if (has_slices(places.root)) listing = read_listing(ask(places, "-L"));
  std::map<std::string, Resource> found = std::move(listing.slices);
  Groups groups = numa_groups(gpus);
  if (gpus.size() > 2) groups = joined(link_groups(ask(places, "topo", "-m"), gpus.size()), groups);
  Resource whole;
  std::map<int32_t, int32_t> place;  // of an index among those that are not cut
  for (size_t index = 0; index < gpus.size(); ++index) {
    if (listing.cut_gpus.count(index) > 0) continue;
    place[static_cast<int32_t>(index)] = static_cast<int32_t>(whole.addresses.size());
    whole.addresses.push_back(std::to_string(index));
  }
  for (const auto& group : groups) {
    std::vector<int32_t> members;
    for (const int32_t index : group) {
      if (place.count(index) > 0) members.push_back(place.at(index));
    }
    if (members.size() > 1) whole.groups.push_back(std::move(members));
  }
  if (!whole.addresses.empty()) found["gpu"] = std::move(whole);
  return found;
}

}  // namespace deuteron::resources
