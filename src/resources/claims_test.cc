#include "resources/claims.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace deuteron::resources {
namespace {

const Address kGpu{"gpu", "0"};

class ClaimsTest : public ::testing::Test {
 protected:
  ClaimsTest() {
    char name[] = "/tmp/claims-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~ClaimsTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Claims> server() const { return *Claims::make(directory_); }

  // A server that dies without giving back what it has; `leave` is what it does before.
  template <typename Leave>
  void crash(const Leave& leave) const {
    const pid_t server = fork();
    if (server == 0) {
      const auto claims = *Claims::make(directory_);
      if (!claims->claim(kGpu).empty()) _exit(1);
      leave(*claims);
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    waitpid(server, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  static pid_t read_process(int end) {
    pid_t process = -1;
    EXPECT_EQ(read(end, &process, sizeof(process)), static_cast<ssize_t>(sizeof(process)));
    return process;
  }
  // A process that is nobody's child any more: until its descriptors are closed.
  static void end(pid_t process) {
    kill(process, SIGKILL);
    while (std::filesystem::exists("/proc/" + std::to_string(process) + "/fd/0")) usleep(1000);
  }

  std::string directory_;
};

TEST_F(ClaimsTest, AnAddressIsOneServersUntilItEnds) {
  auto one = server();
  const auto other = server();
  EXPECT_EQ(one->claim(kGpu), "");
  EXPECT_EQ(one->claim(kGpu), "") << "it is ours";
  EXPECT_NE(other->claim(kGpu).find(std::to_string(getpid())), std::string::npos);
  EXPECT_EQ(other->claim({"gpu", "1"}), "");
  EXPECT_EQ(other->claim({"fpga", "0"}), "");
  one.reset();
  EXPECT_EQ(other->claim(kGpu), "");
}

TEST_F(ClaimsTest, NamesOfAddressesAreNoPaths) {
  const auto claims = server();
  EXPECT_EQ(claims->claim({"gpu", "../../etc/passwd"}), "");
  EXPECT_EQ(claims->path({"gpu", "../x"}), directory_ + "/gpu@..%2fx");
}

TEST_F(ClaimsTest, AfterACrashAnAddressIsFreeAtOnceWhenNobodyUsesIt) {
  crash([](const Claims&) {});
  EXPECT_EQ(server()->claim(kGpu), "");
}

TEST_F(ClaimsTest, AWorkerThatOutlivesItsServerKeepsItsAddress) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  crash([&](const Claims&) {
    const pid_t worker = fork();
    if (worker == 0) {
      pause();
      _exit(0);
    }
    [[maybe_unused]] const auto told = write(ends[1], &worker, sizeof(worker));
  });
  const pid_t worker = read_process(ends[0]);
  const auto claims = server();
  EXPECT_NE(claims->claim(kGpu), "");
  end(worker);
  EXPECT_EQ(claims->claim(kGpu), "");
}

TEST_F(ClaimsTest, AProgramThatAWorkerStartedKeepsItsAddress) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  crash([&](const Claims& claims) {
    const std::string variable =
        std::string(kClaimsVariable) + "=" + claims.path({"fpga", "7"}) + ":" + claims.path(kGpu);
    int started[2];
    if (pipe2(started, O_CLOEXEC) != 0) _exit(1);
    const pid_t program = fork();
    if (program == 0) {
      const char* environment[] = {"A=1", variable.c_str(), nullptr};
      execle("/bin/sleep", "sleep", "60", nullptr, environment);
      _exit(1);
    }
    close(started[1]);
    char nothing = 0;
    [[maybe_unused]] const auto closed = read(started[0], &nothing, 1);  // it has become sleep
    [[maybe_unused]] const auto told = write(ends[1], &program, sizeof(program));
  });
  const pid_t program = read_process(ends[0]);
  const auto claims = server();
  EXPECT_NE(claims->claim(kGpu).find("process " + std::to_string(program)), std::string::npos);
  EXPECT_EQ(claims->claim({"gpu", "1"}), "");
  end(program);
  EXPECT_EQ(claims->claim(kGpu), "");
}

}  // namespace
}  // namespace deuteron::resources
