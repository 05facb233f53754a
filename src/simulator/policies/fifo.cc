#include "simulator/line.h"
#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

class Fifo : public Policy {
 public:
  explicit Fifo(Cluster& cluster) : Policy(cluster), line_(cluster.gangs()) {}
  void submitted(const Gang& gang) override {
    line_.add(gang);
    place();
  }
  void ended(const Gang&) override { place(); }
  void stopped(const Gang& gang) override { submitted(gang); }
  void node_repaired() override { place(); }

 private:
  void place() {
    for (const Gang* first = line_.first(); first != nullptr && first->gpus <= cluster_.free();
         first = line_.first()) {
      line_.remove(*first);
      cluster_.start(*first);
    }
  }

  Line line_;
};

}  // namespace

std::unique_ptr<Policy> make_fifo(Cluster& cluster) { return std::make_unique<Fifo>(cluster); }

}  // namespace deuteron::simulator
