#include "execution/position_columns.h"

#include <cstring>
#include <functional>
#include <random>

#include "exchange/stream_writer.h"
#include "execution/spark_random.h"

namespace deuteron::execution {
namespace {

using plan::resolved::as;
using plan::resolved::Call;
using plan::resolved::Literal;

// Writes the next `count` values of one partition.
using Sequence = std::function<void(uint8_t* values, int64_t count)>;

template <typename Value, typename Next>
Sequence sequence_of(Next next) {
  return [next](uint8_t* values, int64_t count) mutable {
    for (int64_t i = 0; i < count; ++i) {
      const Value value = next();
      std::memcpy(values + static_cast<size_t>(i) * sizeof(Value), &value, sizeof(Value));
    }
  };
}

// Without a seed each call draws its own.
int64_t seed_of(const Call& call) {
  if (call.arguments.empty()) {
    std::random_device device;
    return static_cast<int64_t>((static_cast<uint64_t>(device()) << 32) | device());
  }
  const auto* literal = as<Literal>(call.arguments[0]);
  const auto* seed = literal == nullptr ? nullptr : std::get_if<int64_t>(&literal->value.data);
  return seed == nullptr ? 0 : *seed;
}

Result<Sequence> make_sequence(const Call& call, int64_t seed, int64_t partition) {
  if (call.function == "spark_partition_id") {
    return sequence_of<int32_t>([partition] { return static_cast<int32_t>(partition); });
  }
  if (call.function == "monotonically_increasing_id") {
    return sequence_of<int64_t>([next = partition << 33]() mutable { return next++; });
  }
  const auto first = static_cast<int64_t>(static_cast<uint64_t>(seed) + static_cast<uint64_t>(partition));
  SparkRandom random(first);
  if (call.function == "rand")
    return sequence_of<double>([random]() mutable { return random.next_double(); });
  if (call.function == "randn")
    return sequence_of<double>([random]() mutable { return random.next_gaussian(); });
  return internal_error(call.function + " does not depend on a row's position");
}

int64_t rows_of(const exchange::Partition& partition) {
  int64_t rows = 0;
  for (const exchange::Stream& stream : partition[0]) rows += stream.rows;
  return rows;
}

}  // namespace

exchange::ColumnGroup position_group(const plan::resolved::Expressions& calls) {
  exchange::ColumnGroup group;
  for (const auto& call : calls) {
    group.schema.push_back({as<Call>(call)->function, call->type, false, ""});
  }
  return group;
}

std::vector<int64_t> position_seeds(const plan::resolved::Expressions& calls) {
  std::vector<int64_t> seeds;
  for (const auto& call : calls) seeds.push_back(seed_of(*as<Call>(call)));
  return seeds;
}

Result<exchange::StageOutputPtr> add_positions(const exchange::StageOutput& output,
                                               const plan::resolved::Expressions& calls,
                                               const std::vector<int64_t>& seeds,
                                               const std::shared_ptr<exchange::SharedMemory>& memory,
                                               const std::string& owner) {
  auto wider = std::make_shared<exchange::StageOutput>(output);
  wider->groups.push_back(position_group(calls));
  ASSIGN_OR_RETURN(const exchange::StreamFormatPtr format,
                   exchange::StreamFormat::make(wider->groups.back().schema, exchange::Layout::kFlat, "UTC"));
  exchange::StreamWriter writer(memory, owner, format);
  for (size_t partition = 0; partition < wider->partitions.size(); ++partition) {
    if (wider->partitions[partition].empty()) continue;
    std::vector<Sequence> sequences;
    for (size_t i = 0; i < calls.size(); ++i) {
      ASSIGN_OR_RETURN(Sequence sequence,
                       make_sequence(*as<Call>(calls[i]), seeds[i], static_cast<int64_t>(partition)));
      sequences.push_back(std::move(sequence));
    }
    for (int64_t missing = rows_of(wider->partitions[partition]); missing > 0;) {
      ASSIGN_OR_RETURN(const int64_t room, writer.room());
      const int64_t count = std::min(room, missing);
      for (size_t i = 0; i < sequences.size(); ++i) {
        exchange::ColumnBuilder& column = writer.columns()[i];
        sequences[i](column.values.extend(static_cast<size_t>(count) * column.value_width()), count);
        column.add_valid(count);
      }
      writer.added(count);
      missing -= count;
    }
    ASSIGN_OR_RETURN(exchange::Stream stream, writer.finish());
    wider->partitions[partition].push_back({std::move(stream)});
  }
  return exchange::StageOutputPtr(std::move(wider));
}

}  // namespace deuteron::execution
