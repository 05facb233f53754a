#include "relational/plain_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "relational/parquet/run_decoder.h"
#include "relational/parquet/snappy.h"

namespace deuteron::relational {
namespace {

using exchange::ColumnBuilder;
using parquet::RunDecoder;
using types::DataType;
using types::Schema;
using types::TypeId;

// With the bytes behind them that a decoder may touch.
std::vector<uint8_t> padded(std::vector<uint8_t> bytes) {
  bytes.resize(bytes.size() + RunDecoder::kSlack);
  return bytes;
}

bool decode(const std::vector<uint8_t>& bytes, int bits, std::vector<uint32_t>& numbers) {
  const std::vector<uint8_t> padded_bytes = padded(bytes);
  RunDecoder decoder(padded_bytes.data(), padded_bytes.data() + bytes.size(), bits);
  return decoder.get(numbers.data(), static_cast<int64_t>(numbers.size()));
}

TEST(RunDecoder, RepeatedAndPackedNumbers) {
  // 0 to 7 in 3 bits, as the format's description has it; then 5 three times.
  std::vector<uint32_t> numbers(11);
  ASSERT_TRUE(decode({0x03, 0x88, 0xC6, 0xFA, 0x06, 0x05}, 3, numbers));
  EXPECT_EQ(numbers, (std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5}));
  numbers.resize(12);
  EXPECT_FALSE(decode({0x03, 0x88, 0xC6, 0xFA, 0x06, 0x05}, 3, numbers));
}

TEST(RunDecoder, EveryWidthReadInParts) {
  for (int bits = 0; bits <= RunDecoder::kMostBits; ++bits) {
    const uint64_t most = (uint64_t{1} << bits) - 1;
    std::vector<uint32_t> expected;
    std::vector<uint8_t> bytes{static_cast<uint8_t>(2 << 1 | 1)};  // two eights
    std::vector<uint8_t> packed(static_cast<size_t>(2 * bits));
    for (uint64_t i = 0; i < 16; ++i) {
      expected.push_back(static_cast<uint32_t>((i * 0x9E3779B97F4A7C15u >> 20) & most));
      for (int bit = 0; bit < bits; ++bit) {
        const size_t place = i * static_cast<uint64_t>(bits) + static_cast<uint64_t>(bit);
        packed[place / 8] |= static_cast<uint8_t>(((expected.back() >> bit) & 1) << (place % 8));
      }
    }
    bytes.insert(bytes.end(), packed.begin(), packed.end());
    const std::vector<uint8_t> input = padded(bytes);
    RunDecoder decoder(input.data(), input.data() + bytes.size(), bits);
    std::vector<uint32_t> numbers(16);
    for (const auto& [begin, count] : {std::pair<size_t, int64_t>{0, 3}, {3, 1}, {4, 11}, {15, 1}})
      ASSERT_TRUE(decoder.get(numbers.data() + begin, count));
    EXPECT_EQ(numbers, expected) << bits;
    uint32_t more = 0;
    EXPECT_FALSE(decoder.get(&more, 1));
  }
}

TEST(RunDecoder, PassesOverARunOnlyIfItIsThatNumberAndLongEnough) {
  const std::vector<uint8_t> bytes = padded({10 << 1, 1, 4 << 1, 0});  // ten times 1, four times 0
  RunDecoder decoder(bytes.data(), bytes.data() + 4, 1);
  EXPECT_TRUE(decoder.skip_repeated(1, 6));
  EXPECT_FALSE(decoder.skip_repeated(1, 5));
  std::vector<uint32_t> numbers(5);
  ASSERT_TRUE(decoder.get(numbers.data(), 5));
  EXPECT_EQ(numbers, (std::vector<uint32_t>{1, 1, 1, 1, 0}));
  EXPECT_FALSE(decoder.skip_repeated(1, 3));
}

std::string unsnapped(std::vector<uint8_t> bytes, size_t length) {
  const size_t size = bytes.size();
  bytes.resize(size + parquet::kSnappySlack);
  std::string text(length + parquet::kSnappySlack, '?');
  const bool is_good =
      parquet::decompress_snappy(bytes.data(), size, reinterpret_cast<uint8_t*>(text.data()), length);
  return is_good ? text.substr(0, length) : "broken";
}

TEST(Snappy, CopiesThatRunIntoThemselves) {
  EXPECT_EQ(unsnapped({3, 2 << 2, 'a', 'b', 'c'}, 3), "abc");
  EXPECT_EQ(unsnapped({10, 1 << 2, 'a', 'b', (7 << 2) | 2, 2, 0}, 10), "ababababab");
  EXPECT_EQ(unsnapped({6, 0, 'x', 1 | (1 << 2), 1}, 6), "xxxxxx");
  std::vector<uint8_t> long_literal{100, 60 << 2, 99};
  long_literal.resize(103, 'y');
  EXPECT_EQ(unsnapped(long_literal, 100), std::string(100, 'y'));
}

TEST(Snappy, BrokenBytes) {
  EXPECT_EQ(unsnapped({}, 0), "broken");
  EXPECT_EQ(unsnapped({4, 2 << 2, 'a', 'b', 'c'}, 4), "broken");       // too short
  EXPECT_EQ(unsnapped({2, 2 << 2, 'a', 'b', 'c'}, 2), "broken");       // too long
  EXPECT_EQ(unsnapped({9, 0, 'x', (7 << 2) | 2, 2, 0}, 9), "broken");  // from before the beginning
  EXPECT_EQ(unsnapped({9, 0, 'x', (7 << 2) | 2, 0, 0}, 9), "broken");  // from nowhere
  EXPECT_EQ(unsnapped({9, 0, 'x', (7 << 2) | 2, 1}, 9), "broken");     // an offset that ends early
  EXPECT_EQ(unsnapped({9, 63 << 2, 255, 255, 255}, 9), "broken");      // a length that ends early
}

// Files that DuckDB wrote.
class PlainFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("deuteron-plain-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    ASSERT_EQ(duckdb_open(nullptr, &database_), DuckDBSuccess);
    ASSERT_EQ(duckdb_connect(database_, &connection_), DuckDBSuccess);
  }
  void TearDown() override {
    duckdb_disconnect(&connection_);
    duckdb_close(&database_);
    std::error_code failure;
    std::filesystem::remove_all(folder_, failure);
  }

  std::string written(const std::string& query, const std::string& options = "") {
    const std::string path = (folder_ / (std::to_string(++files_) + ".parquet")).string();
    duckdb_result result{};
    const std::string sql = "COPY (" + query + ") TO '" + path + "' (FORMAT parquet" + options + ")";
    EXPECT_EQ(duckdb_query(connection_, sql.c_str(), &result), DuckDBSuccess) << duckdb_result_error(&result);
    duckdb_destroy_result(&result);
    return path;
  }

  static std::unique_ptr<PlainFile> open(const std::string& path, const Schema& columns,
                                         int64_t first_row = 0, int64_t end_row = -1) {
    return PlainFile::open({path, first_row, end_row}, columns);
  }

  std::filesystem::path folder_;
  duckdb_database database_ = nullptr;
  duckdb_connection connection_ = nullptr;
  int files_ = 0;
};

Schema long_named(const char* name) { return {{name, DataType(TypeId::kLong), true, ""}}; }

TEST_F(PlainFileTest, ReadsTheRowGroupsOfAPiece) {
  const std::string path =
      written("SELECT range AS x, range % 10 AS y FROM range(10240)", ", ROW_GROUP_SIZE 2048");
  const auto file = open(path, long_named("x"), 2048, 6144);
  ASSERT_NE(file, nullptr);
  std::vector<ColumnBuilder> columns;
  columns.emplace_back(DataType(TypeId::kLong));
  while (const int64_t rows = file->room())
    ASSERT_TRUE(file->read(std::min<int64_t>(rows, 1000), columns).ok());
  ASSERT_EQ(columns[0].length, 4096);
  EXPECT_EQ(columns[0].null_count, 0);
  std::vector<int64_t> values(4096);
  std::memcpy(values.data(), columns[0].values.data(), values.size() * sizeof(int64_t));
  EXPECT_EQ(values.front(), 2048);
  EXPECT_EQ(values.back(), 6143);
}

TEST_F(PlainFileTest, LeavesToDuckDbWhatItDoesNotRead) {
  const std::string query = "SELECT range AS x, 1.5::DECIMAL(9, 2) AS n, [range] AS list FROM range(5000)";
  const std::string path = written(query);
  EXPECT_NE(open(path, long_named("x")), nullptr);
  EXPECT_EQ(open(path, long_named("X")), nullptr);                                // another case
  EXPECT_EQ(open(path, long_named("none")), nullptr);                             // no such column
  EXPECT_EQ(open(path, {{"x", DataType(TypeId::kInteger), true, ""}}), nullptr);  // another type
  EXPECT_EQ(open(path, {{"n", DataType::decimal(9, 3), true, ""}}), nullptr);     // another scale
  EXPECT_NE(open(path, {{"n", DataType::decimal(9, 2), true, ""}}), nullptr);
  EXPECT_EQ(open(path, {{"list", DataType::array(DataType(TypeId::kLong)), true, ""}}), nullptr);
  EXPECT_EQ(open(path, long_named("x"), 0, 100), nullptr);  // a part of a row group
  EXPECT_EQ(open(folder_ / "none", long_named("x")), nullptr);
  EXPECT_EQ(open(written(query, ", CODEC gzip"), long_named("x")), nullptr);
  EXPECT_EQ(open(written("SELECT (hash(range) >> 2)::BIGINT AS x FROM range(5000)", ", PARQUET_VERSION v2"),
                 long_named("x")),
            nullptr);  // differences
}

}  // namespace
}  // namespace deuteron::relational
