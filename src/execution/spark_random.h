// Apache Spark's generator of random numbers: the same seed gives the same sequence. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>

namespace deuteron::execution {

class SparkRandom {
 public:
  // Of a partition: the seed of the expression plus the partition's number.
  explicit SparkRandom(int64_t seed);

  double next_double();    // uniform in [0, 1)
  double next_gaussian();  // normal, mean 0, deviation 1

 private:
  int64_t next(int bits);

  uint64_t state_;
  std::optional<double> second_gaussian_;
};

}  // namespace deuteron::execution
