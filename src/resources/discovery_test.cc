#include "resources/discovery.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace deuteron::resources {
namespace {

namespace fs = std::filesystem;
using Addresses = std::vector<std::string>;
using Groups = std::vector<std::vector<int32_t>>;

// A machine that is not there: the driver's files, and programs that print.
class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() {
    char name[] = "/tmp/discovery-test-XXXXXX";
    root_ = mkdtemp(name);
  }
  ~DiscoveryTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string program(const std::string& name, const std::string& script) const {
    write("/" + name, "#!/bin/sh\n" + script);
    chmod((root_ + "/" + name).c_str(), 0755);
    return root_ + "/" + name;
  }
  void add_gpu(int minor, const std::string& bus, int numa_node, bool has_device = true) const {
    write("/proc/driver/nvidia/gpus/" + bus + "/information",
          "Model: \t\t NVIDIA H100\nDevice Minor: \t " + std::to_string(minor) + "\n");
    write("/sys/bus/pci/devices/" + bus + "/numa_node", std::to_string(numa_node) + "\n");
    if (has_device) write("/dev/nvidia" + std::to_string(minor), "");
  }
  NvidiaPlaces places(const std::string& script = "exit 9") const {
    return {root_, program("nvidia-smi", script)};
  }
  Result<std::map<std::string, tasks::Resource>> find(
      const std::map<std::string, std::string>& settings) const {
    return discover(settings, {root_ + "/nothing", "false"});
  }

  std::string root_;
};

TEST_F(DiscoveryTest, AMachineWithoutSettingsAndGpusHasNothing) { EXPECT_TRUE(find({})->empty()); }

TEST_F(DiscoveryTest, AnAmountAloneCounts) {
  const auto found = find({{"spark.executor.resource.fpga.amount", "2"}});
  EXPECT_EQ(found->at("fpga").addresses, (Addresses{"0", "1"}));
}

TEST_F(DiscoveryTest, AScriptTellsAddressesAndGroups) {
  const std::string script = program(
      "find",
      R"(echo '{"name": "gpu", "addresses": ["4", "5", "6", "7"], "groups": [["4", "5"], ["6", "7"]]}')");
  const std::string key = "spark.executor.resource.gpu";
  const auto all = find({{key + ".discoveryScript", script}});
  EXPECT_EQ(all->at("gpu").addresses, (Addresses{"4", "5", "6", "7"}));
  EXPECT_EQ(all->at("gpu").groups, (Groups{{0, 1}, {2, 3}}));
  const auto three = find({{key + ".discoveryScript", script}, {key + ".amount", "3"}});
  EXPECT_EQ(three->at("gpu").addresses.size(), 3u);
  EXPECT_EQ(three->at("gpu").groups, (Groups{{0, 1}}));
  const auto five = find({{key + ".discoveryScript", script}, {key + ".amount", "5"}});
  EXPECT_EQ(five.status().condition(), "RESOURCE_NOT_FOUND");
}

TEST_F(DiscoveryTest, AScriptThatDoesNotKeepTheContractIsAnError) {
  const std::pair<const char*, const char*> cases[] = {
      {"exit 3", "status 3"},
      {"kill -9 $$", "signal 9"},
      {"echo nonsense", "must print"},
      {R"(echo '{"name": "fpga", "addresses": []}')", "must print"},
      {R"(echo '{"name": "gpu", "addresses": [0]}')", "discovery script"},
      {R"(echo '{"name": "gpu", "addresses": ["0", "0"]}')", "twice"},
      {R"(echo '{"name": "gpu", "addresses": ["0"], "groups": [["1", "0"]]}')", "unknown address"},
      {R"(echo '{"name": "gpu", "addresses": ["0", "1", "2"], "groups": [["0", "1"], ["1", "2"]]}')",
       "lie within"},
      {"yes", "too much"},
  };
  for (const auto& [script, reason] : cases) {
    const auto found = find({{"spark.executor.resource.gpu.discoveryScript", program("find", script)}});
    ASSERT_FALSE(found.ok()) << script;
    EXPECT_EQ(found.status().condition(), "RESOURCE_NOT_FOUND");
    EXPECT_NE(found.status().detail().message.find(reason), std::string::npos)
        << found.status().detail().message;
  }
  EXPECT_FALSE(find({{"spark.executor.resource.gpu.discoveryScript", root_ + "/absent"}}).ok());
  EXPECT_FALSE(find({{"spark.executor.resource.gpu.amount", "two"}}).ok());
}

TEST_F(DiscoveryTest, GpusAreFoundByTheDriversFiles) {
  add_gpu(1, "0000:3b:00.0", 1);
  add_gpu(0, "0000:18:00.0", 0);
  add_gpu(2, "0000:86:00.0", 1, false);
  const auto found = nvidia_gpus(places());
  EXPECT_EQ(found.at("gpu").addresses, (Addresses{"0", "1"})) << "the third is another container's";
  EXPECT_TRUE(found.at("gpu").groups.empty());
}

TEST_F(DiscoveryTest, NodesAndLinksAreGroups) {
  for (int index = 0; index < 4; ++index)
    add_gpu(index, "0000:0" + std::to_string(index) + ":00.0", index / 2);
  const std::string table =
      "cat <<'END'\n"
      "\tGPU0\tGPU1\tGPU2\tGPU3\tCPU Affinity\n"
      "GPU0\t X \tNV4\tSYS\tSYS\t0-7\n"
      "GPU1\tNV4\t X \tSYS\tSYS\t0-7\n"
      "GPU2\tSYS\tSYS\t X \tNV4\t8-15\n"
      "GPU3\tSYS\tSYS\tNV4\t X \t8-15\n\nLegend:\nEND";
  EXPECT_EQ(nvidia_gpus(places(table)).at("gpu").groups, (Groups{{0, 1}, {2, 3}}));
  EXPECT_EQ(nvidia_gpus(places()).at("gpu").groups, (Groups{{0, 1}, {2, 3}})) << "nodes are known without it";
}

TEST_F(DiscoveryTest, SlicesAreResourcesOfTheirKind) {
  add_gpu(0, "0000:01:00.0", 0);
  add_gpu(1, "0000:02:00.0", 0);
  write("/proc/driver/nvidia/capabilities/gpu1/mig/gi1/access", "");
  const std::string listing =
      "cat <<'END'\n"
      "GPU 0: NVIDIA H100 (UUID: GPU-aaaa)\n"
      "GPU 1: NVIDIA H100 (UUID: GPU-bbbb)\n"
      "  MIG 1g.10gb     Device  0: (UUID: MIG-1111)\n"
      "  MIG 1g.10gb     Device  1: (UUID: MIG-2222)\n"
      "  MIG 3g.40gb     Device  2: (UUID: MIG-3333)\nEND";
  const auto found = nvidia_gpus(places(listing));
  EXPECT_EQ(found.at("gpu").addresses, (Addresses{"0"})) << "the other one is cut";
  EXPECT_EQ(found.at("mig-1g.10gb").addresses, (Addresses{"MIG-1111", "MIG-2222"}));
  EXPECT_EQ(found.at("mig-3g.40gb").addresses, (Addresses{"MIG-3333"}));
}

}  // namespace
}  // namespace deuteron::resources
