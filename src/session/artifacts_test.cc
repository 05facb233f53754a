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
  Artifacts::Unpack into_one_file_ = [](const std::string& archive, const std::string& folder,
                                        uint64_t limit) {
    if (fs::file_size(archive) * 10 > limit) return internal_error("too large");
    fs::create_directories(folder);
    std::ofstream(folder + "/content") << std::string(fs::file_size(archive) * 10, 'x');
    return Status();
  };
  const std::string directory_ =
      (fs::temp_directory_path() / ("deuteron-artifacts-" + random_secret(4))).string();
};

TEST_F(ArtifactsTest, StoresPythonFilesAndRemovesThemAtTheEnd) {
  {
    Artifacts artifacts(directory_, 1000, into_one_file_);
    ASSERT_TRUE(artifacts.add("pyfiles/module.py", "x = 1").ok());
    EXPECT_TRUE(artifacts.exists("pyfiles/module.py"));
    EXPECT_EQ(artifacts.python_paths(), std::vector<std::string>{directory_ + "/pyfiles"});
    EXPECT_EQ(fs::status(directory_).permissions() & fs::perms::others_all, fs::perms::none);
    EXPECT_EQ(fs::status(directory_).permissions() & fs::perms::group_all, fs::perms::none);
  }
  EXPECT_FALSE(fs::exists(directory_));
}

TEST_F(ArtifactsTest, RefusesNamesThatLeaveTheFolder) {
  Artifacts artifacts(directory_, 1000, into_one_file_);
  for (const char* name : {"../x", "/etc/x", "pyfiles/../../x", "", "pyfiles//", "pyfiles/./x"}) {
    EXPECT_EQ(artifacts.add(name, "x").condition(), "INVALID_ARTIFACT_NAME") << name;
  }
}

TEST_F(ArtifactsTest, NeverReplacesContent) {
  Artifacts artifacts(directory_, 1000, into_one_file_);
  ASSERT_TRUE(artifacts.add("files/a", "one").ok());
  EXPECT_TRUE(artifacts.add("files/a", "one").ok());
  EXPECT_EQ(artifacts.add("files/a", "two").condition(), "ARTIFACT_ALREADY_EXISTS");
}

TEST_F(ArtifactsTest, FilesAndUnpackedArchivesLieInOneFolder) {
  Artifacts artifacts(directory_, 1000, into_one_file_);
  EXPECT_EQ(artifacts.files_directory(), "");
  ASSERT_TRUE(artifacts.add("files/a", "one").ok());
  ASSERT_TRUE(artifacts.add("archives/x.tar.gz#environment", "abc").ok());
  ASSERT_TRUE(artifacts.add("archives/y.zip", "abc").ok());
  EXPECT_EQ(artifacts.files_directory(), directory_ + "/files");
  EXPECT_TRUE(fs::exists(directory_ + "/files/a"));
  EXPECT_TRUE(fs::exists(directory_ + "/files/environment/content"));
  EXPECT_TRUE(fs::exists(directory_ + "/files/y.zip/content"));
  EXPECT_TRUE(artifacts.add("archives/x.tar.gz#environment", "abc").ok());  // the same once more
  EXPECT_EQ(artifacts.add("archives/x.tar.gz#environment", "abd").condition(), "ARTIFACT_ALREADY_EXISTS");
  EXPECT_EQ(artifacts.add("archives/z.tar.gz#environment", "abc").condition(), "ARTIFACT_ALREADY_EXISTS");
}

TEST_F(ArtifactsTest, ArchivesStayInTheirFolderAndCountUnpacked) {
  Artifacts artifacts(directory_, 100, into_one_file_);
  for (const char* name : {"archives/x.zip#..", "archives/x.zip#", "archives/x.zip#/etc"}) {
    EXPECT_EQ(artifacts.add(name, "x").condition(), "INVALID_ARTIFACT_NAME") << name;
  }
  ASSERT_TRUE(artifacts.add("archives/x.zip", "12345").ok());
  EXPECT_EQ(artifacts.add("archives/y.zip", "12345").condition(), "UNREADABLE_ARCHIVE");
  EXPECT_FALSE(artifacts.exists("archives/y.zip"));
  EXPECT_FALSE(fs::exists(directory_ + "/archives/y.zip"));
}

TEST_F(ArtifactsTest, IsBounded) {
  Artifacts artifacts(directory_, 10, into_one_file_);
  ASSERT_TRUE(artifacts.add("cache/abc", "123456").ok());
  EXPECT_EQ(*artifacts.find_cached("abc"), "123456");
  EXPECT_EQ(artifacts.add("cache/def", "123456").condition(), "ARTIFACT_LIMIT_EXCEEDED");
}

}  // namespace
}  // namespace deuteron::session
