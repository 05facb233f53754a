#include "worker_pool/barrier_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <thread>

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

class BarrierSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/deuteron-test-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    auto socket = BarrierSocket::listen(loop_, path(), [this](tasks::BarrierRequest request) {
      requests_.push_back(request);
      if (requests_.size() == answer_after_) socket_->answer(BarrierSocket::encode({"zero", "one"}));
    });
    ASSERT_TRUE(socket.ok()) << socket.status().to_string();
    socket_ = *std::move(socket);
  }
  void TearDown() override {
    socket_.reset();
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ + "/barrier"; }

  int connect_client() const {
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return client;
  }

  void run_for(milliseconds time) {
    loop_.call_after(time, [this] { loop_.stop(); });
    loop_.run();
  }

  EventLoop loop_;
  std::string folder_;
  std::unique_ptr<BarrierSocket> socket_;
  std::vector<tasks::BarrierRequest> requests_;
  size_t answer_after_ = 1;
};

TEST_F(BarrierSocketTest, AllGatherArrivesInPiecesAndIsAnswered) {
  const int client = connect_client();
  const std::string request("\0\0\0\2\0\0\0\5hello", 13);
  for (const char byte : request) {
    loop_.call_after(milliseconds(1), [client, byte] { ASSERT_EQ(send(client, &byte, 1, 0), 1); });
  }
  run_for(milliseconds(50));
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].kind, tasks::BarrierKind::kAllGather);
  EXPECT_EQ(requests_[0].message, "hello");
  char answer[64];
  const ssize_t length = recv(client, answer, sizeof answer, MSG_DONTWAIT);
  EXPECT_EQ(std::string(answer, std::max<ssize_t>(length, 0)),
            std::string("\0\0\0\2\0\0\0\4zero\0\0\0\3one", 19));
  close(client);
}

TEST_F(BarrierSocketTest, AConnectionCarriesCallAfterCall) {
  const int client = connect_client();
  const std::string answer("\0\0\0\2\0\0\0\4zero\0\0\0\3one", 19);
  for (const std::string& request :
       {std::string("\0\0\0\1", 4), std::string("\0\0\0\2\0\0\0\2hi", 10), std::string("\0\0\0\1", 4)}) {
    answer_after_ = requests_.size() + 1;
    ASSERT_EQ(send(client, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    run_for(milliseconds(20));
    char received[64];
    const ssize_t length = recv(client, received, sizeof received, MSG_DONTWAIT);
    ASSERT_EQ(std::string(received, std::max<ssize_t>(length, 0)), answer);
  }
  ASSERT_EQ(requests_.size(), 3u);
  EXPECT_EQ(requests_[1].message, "hi");
  EXPECT_EQ(requests_[2].kind, tasks::BarrierKind::kBarrier);
  EXPECT_EQ(requests_[2].message, "");
  socket_.reset();  // the attempt is given up
  char byte;
  EXPECT_EQ(recv(client, &byte, 1, 0), 0);
  close(client);
}

TEST_F(BarrierSocketTest, AnAnswerThatIsReadSlowlyIsWholeBeforeTheNextCall) {
  answer_after_ = 100;
  const int client = connect_client();
  const std::string request("\0\0\0\1", 4);
  const std::vector<std::string> messages(3, std::string(3 << 20, 'x'));
  const BarrierSocket::Answer answer = BarrierSocket::encode(messages);
  for (int call = 0; call < 2; ++call) {
    ASSERT_EQ(send(client, request.data(), request.size(), 0), 4);
    run_for(milliseconds(20));
    ASSERT_EQ(requests_.size(), static_cast<size_t>(call) + 1);
    socket_->answer(answer);  // more than the socket takes
    std::string received(answer->size(), '\0');
    std::thread reader([&] {
      EXPECT_EQ(recv(client, received.data(), received.size(), MSG_WAITALL),
                static_cast<ssize_t>(received.size()));
      loop_.stop();
    });
    loop_.run();
    reader.join();
    EXPECT_EQ(received, *answer);
  }
  close(client);
}

TEST_F(BarrierSocketTest, WhoSpeaksWhileItWaitsIsDropped) {
  answer_after_ = 100;
  const int client = connect_client();
  ASSERT_EQ(send(client, "\0\0\0\1", 4, 0), 4);
  run_for(milliseconds(20));
  ASSERT_EQ(send(client, "\0\0\0\1", 4, 0), 4);
  run_for(milliseconds(20));
  char byte;
  EXPECT_EQ(recv(client, &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_EQ(requests_.size(), 1u);
  close(client);
}

TEST_F(BarrierSocketTest, GarbageAndDisappearingClientsAreDropped) {
  answer_after_ = 100;
  const int garbage = connect_client();
  ASSERT_EQ(send(garbage, "GET / HTTP/1.1", 14, 0), 14);
  const int gone = connect_client();
  ASSERT_EQ(send(gone, "\0\0\0\1", 4, 0), 4);
  close(gone);
  run_for(milliseconds(30));
  char byte;
  EXPECT_EQ(recv(garbage, &byte, 1, 0), 0);
  socket_->answer(BarrierSocket::encode({}));  // nobody waits
  close(garbage);
}

}  // namespace
}  // namespace deuteron::worker_pool
