// As a barrier stage of Spark does whose slots are not there: it asks every 15 s, 40 times, and then fails.
// Nobody waits in an order, and nothing is kept for anybody.
#include <set>

#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(15);
constexpr int32_t kMostRetries = 40;

class Polling : public Policy {
 public:
  using Policy::Policy;
  void submitted(const Gang& gang) override { ask(gang, 0); }
  void ended(const Gang&) override {}
  void woke() override {
    while (!retries_.empty() && retries_.begin()->time <= cluster_.now()) {
      const Retry retry = *retries_.begin();
      retries_.erase(retries_.begin());
      ask(cluster_.gangs()[static_cast<size_t>(retry.gang)], retry.number);
    }
  }
  std::optional<SteadyTime> wakes_at() const override {
    if (retries_.empty()) return std::nullopt;
    return retries_.begin()->time;
  }

 private:
  struct Retry {
    SteadyTime time;
    int64_t gang = 0;
    int32_t number = 0;
    auto operator<=>(const Retry&) const = default;
  };

  void ask(const Gang& gang, int32_t number) {
    if (gang.gpus <= cluster_.free()) return cluster_.start(gang);
    if (number == kMostRetries) return cluster_.give_up(gang);
    retries_.insert({cluster_.now() + kPeriod, gang.id, number + 1});
  }

  std::set<Retry> retries_;
};

}  // namespace

std::unique_ptr<Policy> make_polling(Cluster& cluster) { return std::make_unique<Polling>(cluster); }

}  // namespace deuteron::simulator
