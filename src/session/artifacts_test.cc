#include "session/artifacts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/identifier.h"

namespace deuteron::session {
namespace {

namespace fs = std::filesystem;

class ArtifactsTest : public testing::Test {
 protected:
  const std::string directory_ =
      (fs::temp_directory_path() / ("deuteron-artifacts-" + random_secret(4))).string();
};

TEST_F(ArtifactsTest, StoresPythonFilesAndRemovesThemAtTheEnd) {
  {
    Artifacts artifacts(directory_, 1000);
    ASSERT_TRUE(artifacts.add("pyfiles/module.py", "x = 1").ok());
    EXPECT_TRUE(artifacts.exists("pyfiles/module.py"));
    EXPECT_EQ(artifacts.python_paths(), std::vector<std::string>{directory_ + "/pyfiles"});
    EXPECT_EQ(fs::status(directory_).permissions() & fs::perms::others_all, fs::perms::none);
    EXPECT_EQ(fs::status(directory_).permissions() & fs::perms::group_all, fs::perms::none);
  }
  EXPECT_FALSE(fs::exists(directory_));
}

TEST_F(ArtifactsTest, RefusesNamesThatLeaveTheFolder) {
  Artifacts artifacts(directory_, 1000);
  for (const char* name : {"../x", "/etc/x", "pyfiles/../../x", "", "pyfiles//", "pyfiles/./x"}) {
    EXPECT_EQ(artifacts.add(name, "x").condition(), "INVALID_ARTIFACT_NAME") << name;
  }
}

TEST_F(ArtifactsTest, NeverReplacesContent) {
  Artifacts artifacts(directory_, 1000);
  ASSERT_TRUE(artifacts.add("files/a", "one").ok());
  EXPECT_TRUE(artifacts.add("files/a", "one").ok());
  EXPECT_EQ(artifacts.add("files/a", "two").condition(), "ARTIFACT_ALREADY_EXISTS");
}

TEST_F(ArtifactsTest, IsBounded) {
  Artifacts artifacts(directory_, 10);
  ASSERT_TRUE(artifacts.add("cache/abc", "123456").ok());
  EXPECT_EQ(*artifacts.find_cached("abc"), "123456");
  EXPECT_EQ(artifacts.add("cache/def", "123456").condition(), "ARTIFACT_LIMIT_EXCEEDED");
}

}  // namespace
}  // namespace deuteron::session
