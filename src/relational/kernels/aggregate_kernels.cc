// Aggregates over numbers whose formulas, and so their last digits, are Spark's: moments of one column
// (kurtosis, skewness) and of pairs (corr, regr_slope …); and decimal_sum_text_S, the sum of DECIMAL(38, S)
// as text, however many digits it has. A state is updated row by row and merged with others; null arguments
// do not count.
#include <charconv>
#include <cmath>
#include <new>
#include <unordered_map>

#include "relational/kernels/registry.h"
#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

// Central moments up to the fourth, as CentralMomentAgg keeps them.
struct Moments {
  static constexpr size_t kArguments = 1;
  double n = 0, average = 0, m2 = 0, m3 = 0, m4 = 0;

  void add(const double* values) {
    const double n1 = n + 1, delta = values[0] - average, step = delta / n1;
    const double delta2 = delta * delta, step2 = step * step;
    n = n1;
    average += step;
    m2 += delta * (delta - step);
    m3 += -3.0 * step * m2 + delta * (delta2 - step2);
    m4 += -4.0 * step * m3 - 6.0 * step2 * m2 + delta * (delta * delta2 - step * step2);
  }

  void merge(const Moments& other) {
    const double n1 = n, n2 = other.n, sum = n1 + n2, delta = other.average - average;
    const double step = sum == 0 ? 0 : delta / sum;
    const double merged4 =
        m4 + other.m4 + step * step * step * delta * n1 * n2 * (n1 * n1 - n1 * n2 + n2 * n2) +
        6.0 * step * step * (n1 * n1 * other.m2 + n2 * n2 * m2) + 4.0 * step * (n1 * other.m3 - n2 * m3);
    const double merged3 =
        m3 + other.m3 + step * step * delta * n1 * n2 * (n1 - n2) + 3.0 * step * (n1 * other.m2 - n2 * m2);
    n = sum;
    average += step * n2;
    m2 += other.m2 + delta * step * n1 * n2;
    m3 = merged3;
    m4 = merged4;
  }
};

// Of pairs (x, y): averages, squared deviations of each and their product's.
struct PairMoments {
  static constexpr size_t kArguments = 2;
  double n = 0, x = 0, y = 0, xy = 0, xx = 0, yy = 0;

  void add(const double* values) {
    n += 1;
    const double dx = values[0] - x, dy = values[1] - y;
    x += dx / n;
    y += dy / n;
    xy += dx * (values[1] - y);
    xx += dx * (values[0] - x);
    yy += dy * (values[1] - y);
  }

  void merge(const PairMoments& other) {
    const double sum = n + other.n, dx = other.x - x, dy = other.y - y;
    const double step_x = sum == 0 ? 0 : dx / sum, step_y = sum == 0 ? 0 : dy / sum;
    const double weight = n * other.n;
    x += step_x * other.n;
    y += step_y * other.n;
    xy += other.xy + dx * step_y * weight;
    xx += other.xx + dx * step_x * weight;
    yy += other.yy + dy * step_y * weight;
    n = sum;
  }
};

using Answer = std::optional<double>;

Answer skewness(const Moments& state) {
  if (state.n == 0 || state.m2 == 0) return std::nullopt;
  return std::sqrt(state.n) * state.m3 / std::sqrt(state.m2 * state.m2 * state.m2);
}
Answer kurtosis(const Moments& state) {
  if (state.n == 0 || state.m2 == 0) return std::nullopt;
  return state.n * state.m4 / (state.m2 * state.m2) - 3.0;
}

// Null also where the deviations are zero, which is an error that the SQL around raises.
Answer corr(const PairMoments& state) {
  if (state.n < 2 || state.xx == 0 || state.yy == 0) return std::nullopt;
  return state.xy / std::sqrt(state.xx * state.yy);
}
// Regressions are of x, the first argument, on y.
Answer slope(const PairMoments& state) {
  if (state.n < 2 || state.yy == 0) return std::nullopt;
  return state.xy / state.yy;
}
Answer intercept(const PairMoments& state) {
  if (state.n < 2 || state.yy == 0) return std::nullopt;
  return state.x - state.xy / state.yy * state.y;
}
Answer determination(const PairMoments& state) {
  if (state.n < 2 || state.yy == 0) return std::nullopt;
  return state.xx == 0 ? 1.0 : state.xy * state.xy / state.xx / state.yy;
}
template <double PairMoments::*kPart>
Answer part(const PairMoments& state) {
  return state.n == 0 ? std::nullopt : Answer(state.*kPart);
}

template <typename State, Answer (*kAnswer)(const State&)>
struct Aggregate {
  static idx_t size(duckdb_function_info) { return sizeof(State); }
  static void start(duckdb_function_info, duckdb_aggregate_state state) { new (state) State(); }
  static State& at(duckdb_aggregate_state state) { return *reinterpret_cast<State*>(state); }

  static void update(duckdb_function_info, duckdb_data_chunk input, duckdb_aggregate_state* states) {
    constexpr size_t kArguments = State::kArguments;
    const double* data[kArguments];
    uint64_t* validity[kArguments];
    for (size_t i = 0; i < kArguments; ++i) {
      duckdb_vector vector = duckdb_data_chunk_get_vector(input, i);
      data[i] = static_cast<const double*>(duckdb_vector_get_data(vector));
      validity[i] = duckdb_vector_get_validity(vector);
    }
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
      double values[kArguments];
      bool present = true;
      for (size_t i = 0; i < kArguments; ++i) {
        present = present && !row_is_null(validity[i], row);
        values[i] = data[i][row];
      }
      if (present) at(states[row]).add(values);
    }
  }

  static void merge(duckdb_function_info, duckdb_aggregate_state* sources, duckdb_aggregate_state* targets,
                    idx_t count) {
    for (idx_t i = 0; i < count; ++i) at(targets[i]).merge(at(sources[i]));
  }

  static void finish(duckdb_function_info, duckdb_aggregate_state* states, duckdb_vector output, idx_t count,
                     idx_t offset) {
    duckdb_vector_ensure_validity_writable(output);
    for (idx_t i = 0; i < count; ++i) {
      if (const Answer answer = kAnswer(at(states[i])))
        store(output, offset + i, *answer);
      else
        duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), offset + i);
    }
  }

  static duckdb_state add_to(duckdb_connection connection, const std::string& name) {
    duckdb_aggregate_function function = duckdb_create_aggregate_function();
    duckdb_aggregate_function_set_name(function, name.c_str());
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
    for (size_t i = 0; i < State::kArguments; ++i) duckdb_aggregate_function_add_parameter(function, type);
    duckdb_aggregate_function_set_return_type(function, type);
    duckdb_destroy_logical_type(&type);
    duckdb_aggregate_function_set_functions(function, size, start, update, merge, finish);
    const duckdb_state state = duckdb_register_aggregate_function(connection, function);
    duckdb_destroy_aggregate_function(&function);
    return state;
  }
};

// 192 bits, in two's complement: enough for 10^19 decimals of 38 digits. In parts of 64 bits, the lowest
// first, because DuckDB aligns states to 8 bytes.
struct WideSum {
  uint64_t parts[3] = {0, 0, 0};
  bool seen = false;

  void add(const uint64_t* other) {
    unsigned __int128 carry = 0;
    for (int i = 0; i < 3; ++i) {
      carry += static_cast<unsigned __int128>(parts[i]) + other[i];
      parts[i] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
    seen = true;
  }
  void add(Int128 value) {
    const uint64_t sign = value < 0 ? ~uint64_t{0} : 0;
    const uint64_t wide[3] = {static_cast<uint64_t>(value), static_cast<uint64_t>(value >> 64), sign};
    add(wide);
  }

  std::string text(int scale) const {
    WideSum rest = *this;
    const bool negative = static_cast<int64_t>(parts[2]) < 0;
    if (negative) {
      for (uint64_t& part : rest.parts) part = ~part;
      rest.add(Int128{1});
    }
    std::string digits;
    while (rest.parts[0] != 0 || rest.parts[1] != 0 || rest.parts[2] != 0 ||
           static_cast<int>(digits.size()) <= scale) {
      uint64_t remainder = 0;
      for (int i = 2; i >= 0; --i) {
        const unsigned __int128 value = static_cast<unsigned __int128>(remainder) << 64 | rest.parts[i];
        rest.parts[i] = static_cast<uint64_t>(value / 10);
        remainder = static_cast<uint64_t>(value % 10);
      }
      digits += static_cast<char>('0' + remainder);
    }
    if (scale > 0) digits.insert(static_cast<size_t>(scale), 1, '.');
    if (negative) digits += '-';
    return {digits.rbegin(), digits.rend()};
  }
};

struct DecimalSum {
  static constexpr std::string_view kPrefix = "decimal_sum_text_";

  static idx_t size(duckdb_function_info) { return sizeof(WideSum); }
  static void start(duckdb_function_info, duckdb_aggregate_state state) { new (state) WideSum(); }
  static WideSum& at(duckdb_aggregate_state state) { return *reinterpret_cast<WideSum*>(state); }

  static void update(duckdb_function_info, duckdb_data_chunk input, duckdb_aggregate_state* states) {
    duckdb_vector vector = duckdb_data_chunk_get_vector(input, 0);
    const auto* values = static_cast<const Int128*>(duckdb_vector_get_data(vector));
    uint64_t* validity = duckdb_vector_get_validity(vector);
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
      if (row_is_null(validity, row)) continue;
      at(states[row]).add(values[row]);
    }
  }
  static void merge(duckdb_function_info, duckdb_aggregate_state* sources, duckdb_aggregate_state* targets,
                    idx_t count) {
    for (idx_t i = 0; i < count; ++i) {
      const WideSum& source = at(sources[i]);
      if (source.seen) at(targets[i]).add(source.parts);
    }
  }
  static void finish(duckdb_function_info info, duckdb_aggregate_state* states, duckdb_vector output,
                     idx_t count, idx_t offset) {
    const auto scale =
        static_cast<int>(reinterpret_cast<intptr_t>(duckdb_aggregate_function_get_extra_info(info)));
    duckdb_vector_ensure_validity_writable(output);
    for (idx_t i = 0; i < count; ++i) {
      const WideSum& state = at(states[i]);
      if (state.seen)
        store(output, offset + i, state.text(scale));
      else
        duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), offset + i);
    }
  }

  static bool is_name(std::string_view name) { return name.starts_with(kPrefix); }
  static duckdb_state add_to(duckdb_connection connection, const std::string& name) {
    int scale = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), scale);
    duckdb_aggregate_function function = duckdb_create_aggregate_function();
    duckdb_aggregate_function_set_name(function, name.c_str());
    duckdb_logical_type decimal = duckdb_create_decimal_type(38, static_cast<uint8_t>(scale));
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_aggregate_function_add_parameter(function, decimal);
    duckdb_aggregate_function_set_return_type(function, text);
    duckdb_destroy_logical_type(&decimal);
    duckdb_destroy_logical_type(&text);
    duckdb_aggregate_function_set_extra_info(function, reinterpret_cast<void*>(static_cast<intptr_t>(scale)),
                                             nullptr);
    duckdb_aggregate_function_set_functions(function, size, start, update, merge, finish);
    const duckdb_state state = duckdb_register_aggregate_function(connection, function);
    duckdb_destroy_aggregate_function(&function);
    return state;
  }
};

template <Answer (*kAnswer)(const PairMoments&)>
constexpr auto kPair = &Aggregate<PairMoments, kAnswer>::add_to;

const std::unordered_map<std::string_view, duckdb_state (*)(duckdb_connection, const std::string&)>&
aggregates() {
  static const std::unordered_map<std::string_view, duckdb_state (*)(duckdb_connection, const std::string&)>
      kAggregates = {
          {"moments_skewness", &Aggregate<Moments, skewness>::add_to},
          {"moments_kurtosis", &Aggregate<Moments, kurtosis>::add_to},
          {"moments_corr", kPair<corr>},
          {"moments_regr_slope", kPair<slope>},
          {"moments_regr_intercept", kPair<intercept>},
          {"moments_regr_r2", kPair<determination>},
          {"moments_regr_avgx", kPair<part<&PairMoments::y>>},
          {"moments_regr_avgy", kPair<part<&PairMoments::x>>},
          {"moments_regr_sxx", kPair<part<&PairMoments::yy>>},
          {"moments_regr_syy", kPair<part<&PairMoments::xx>>},
          {"moments_regr_sxy", kPair<part<&PairMoments::xy>>},
      };
  return kAggregates;
}

}  // namespace

bool is_aggregate_kernel(std::string_view name) {
  return aggregates().contains(name) || DecimalSum::is_name(name);
}

duckdb_state register_aggregate_kernel(duckdb_connection connection, const std::string& name) {
  return DecimalSum::is_name(name) ? DecimalSum::add_to(connection, name)
                                   : aggregates().at(name)(connection, name);
}

}  // namespace deuteron::relational::kernels
