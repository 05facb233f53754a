#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include <nanoarrow/nanoarrow.h>

#include "exchange/arrow_schema.h"
#include "exchange/stream_reader.h"
#include "exchange/stream_view.h"
#include "exchange/stream_writer.h"

namespace deuteron::exchange {
namespace {

using types::DataType;
using types::TypeId;

types::Schema long_and_string() {
  return {{"n", DataType(TypeId::kLong), true, ""}, {"s", DataType(TypeId::kString), true, ""}};
}

void add_row(std::vector<ColumnBuilder>& columns, int64_t number, const std::string& text, bool null) {
  std::memcpy(columns[0].values.extend(8), &number, 8);
  columns[0].add_valid(1);
  const int32_t end = columns[1].last_offset() + (null ? 0 : static_cast<int32_t>(text.size()));
  if (!null) std::memcpy(columns[1].values.extend(text.size()), text.data(), text.size());
  *columns[1].extend_offsets(1) = end;
  if (null) {
    columns[1].add_null();
  } else {
    columns[1].add_valid(1);
  }
}

StreamFormatPtr make_format(Layout layout) {
  auto format = StreamFormat::make(long_and_string(), layout, "UTC");
  EXPECT_TRUE(format.ok());
  return *format;
}

Stream write_stream(StreamWriter& writer, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    const auto room = writer.room();
    EXPECT_TRUE(room.ok()) << room.status().to_string();
    add_row(writer.columns(), i, "text " + std::to_string(i), i % 3 == 0);
    writer.added(1);
  }
  auto stream = writer.finish();
  EXPECT_TRUE(stream.ok());
  return *stream;
}

void expect_rows(const Stream& stream, Layout layout, int64_t rows) {
  const auto bytes = stream.region.bytes();
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(stream.region.offset % 64, 0u);
  const auto reader = StreamReader::open(*bytes);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  EXPECT_EQ(reader->rows(), rows);
  auto decoder = BatchDecoder::make(*reader);
  ASSERT_TRUE(decoder.ok());
  int64_t expected = 0;
  for (size_t batch = 0; batch < reader->batches(); ++batch) {
    const auto decoded = decoder->decode(batch);
    ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
    const ArrowArrayView* view = layout == Layout::kFlat ? *decoded : (*decoded)->children[0];
    for (int64_t row = 0; row < view->length; ++row, ++expected) {
      ASSERT_EQ(ArrowArrayViewGetIntUnsafe(view->children[0], row), expected);
      ASSERT_EQ(ArrowArrayViewIsNull(view->children[1], row) != 0, expected % 3 == 0);
      if (expected % 3 == 0) continue;
      const ArrowStringView text = ArrowArrayViewGetStringUnsafe(view->children[1], row);
      ASSERT_EQ(std::string(text.data, static_cast<size_t>(text.size_bytes)),
                "text " + std::to_string(expected));
    }
  }
  EXPECT_EQ(expected, rows);
}

TEST(StreamWriter, WritesWhatTheReaderReads) {
  for (const Layout layout : {Layout::kFlat, Layout::kStructColumn}) {
    for (const int64_t rows : {0, 1, 7, 300000}) {
      StreamWriter writer(SharedMemory::create({}), "s", make_format(layout));
      expect_rows(write_stream(writer, rows), layout, rows);
    }
  }
}

TEST(StreamWriter, PacksStreamsAndCutsBatches) {
  StreamWriter writer(SharedMemory::create({}), "s", make_format(Layout::kFlat), {.rows_per_batch = 100});
  const Stream first = write_stream(writer, 250);
  const Stream second = write_stream(writer, 10);
  EXPECT_EQ(first.region.slab, second.region.slab);
  expect_rows(first, Layout::kFlat, 250);
  expect_rows(second, Layout::kFlat, 10);
  EXPECT_EQ(StreamReader::open(*first.region.bytes())->batches(), 3u);
}

std::string joined(const Streams& streams) {
  const auto regions = join_streams(streams);
  EXPECT_TRUE(regions.ok()) << regions.status().to_string();
  std::string bytes;
  for (const Region& region : *regions) bytes += *region.bytes();
  return bytes;
}

TEST(StreamView, JoinedStreamsAreOne) {
  StreamWriter writer(SharedMemory::create({}), "s", make_format(Layout::kFlat), {.rows_per_batch = 100});
  Streams streams;
  for (const int64_t rows : {250, 0, 30}) streams.push_back(write_stream(writer, rows));
  const std::string bytes = joined(streams);
  const auto reader = StreamReader::open(bytes);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  EXPECT_EQ(reader->rows(), 280);
  EXPECT_EQ(reader->batches(), 4u);
}

constexpr int64_t kManyRows = 400000;  // batches of some megabytes

TEST(StreamView, ShowsTheSameBodiesInAnotherLayout) {
  const auto memory = SharedMemory::create({});
  for (const Layout from : {Layout::kFlat, Layout::kStructColumn}) {
    for (const Layout to : {Layout::kFlat, Layout::kStructColumn}) {
      StreamWriter writer(memory, "s", make_format(from));
      const Stream stream = write_stream(writer, kManyRows);
      StreamViews views(memory, "s", make_format(to));
      const auto seen = views.view({stream, stream}, from, {0, 1});
      ASSERT_TRUE(seen.ok() && seen->has_value());
      ASSERT_EQ((*seen)->size(), 2u);
      for (const Region& body : (**seen)[0].bodies) {
        EXPECT_EQ(body.slab, stream.region.slab);
        EXPECT_EQ(body.offset % 64, 0u);
      }
      EXPECT_LT((**seen)[0].region.length, 10000u);  // messages
      const std::string bytes = joined({(**seen)[0]});
      const Stream copy{{*memory->acquire("s", bytes.size()), 0, bytes.size()}, -1, {}};
      ASSERT_TRUE(copy.region.slab->grow(bytes.size()).ok());
      std::memcpy(copy.region.slab->data(), bytes.data(), bytes.size());
      expect_rows(copy, to, kManyRows);
    }
  }
}

TEST(StreamView, ShowsSomeColumnsInAnotherOrder) {
  const auto memory = SharedMemory::create({});
  StreamWriter writer(memory, "s", make_format(Layout::kFlat));
  const Stream stream = write_stream(writer, kManyRows);
  const auto format = StreamFormat::make({{"t", DataType(TypeId::kString), true, ""}}, Layout::kFlat, "UTC");
  StreamViews views(memory, "s", *format);
  const auto seen = views.view({stream}, Layout::kFlat, {1});
  ASSERT_TRUE(seen.ok() && seen->has_value());
  const std::string bytes = joined(**seen);
  const auto reader = StreamReader::open(bytes);
  ASSERT_TRUE(reader.ok()) << reader.status().to_string();
  ASSERT_EQ(reader->schema().n_children, 1);
  EXPECT_STREQ(reader->schema().children[0]->name, "t");
  auto decoder = BatchDecoder::make(*reader);
  const auto batch = decoder->decode(0);
  ASSERT_TRUE(batch.ok()) << batch.status().to_string();
  EXPECT_EQ(ArrowArrayViewIsNull((*batch)->children[0], 3), 1);
  const ArrowStringView text = ArrowArrayViewGetStringUnsafe((*batch)->children[0], 4);
  EXPECT_EQ(std::string(text.data, static_cast<size_t>(text.size_bytes)), "text 4");
}

TEST(StreamView, LeavesToACopyWhatDoesNotFit) {
  const auto memory = SharedMemory::create({});
  const auto is_seen = [&](const Stream& stream, const StreamFormatPtr& format, StreamWriterOptions limits) {
    const auto seen = StreamViews(memory, "s", format, limits).view({stream}, Layout::kFlat, {0});
    EXPECT_TRUE(seen.ok());
    return seen->has_value();
  };
  const auto of = [](TypeId type) {
    return *StreamFormat::make({{"n", DataType(type), true, ""}}, Layout::kFlat, "UTC");
  };
  StreamWriter writer(memory, "s", make_format(Layout::kFlat));
  const Stream stream = write_stream(writer, kManyRows);
  EXPECT_TRUE(is_seen(stream, of(TypeId::kLong), {}));
  EXPECT_FALSE(is_seen(stream, of(TypeId::kDouble), {}));
  EXPECT_FALSE(is_seen(stream, of(TypeId::kLong), {.rows_per_batch = 1000}));
  EXPECT_FALSE(is_seen(stream, of(TypeId::kLong), {.bytes_per_batch = 1000}));
  EXPECT_FALSE(is_seen({}, of(TypeId::kLong), {}));
  StreamWriter of_little_batches(memory, "s", make_format(Layout::kFlat), {.rows_per_batch = 10});
  EXPECT_FALSE(is_seen(write_stream(of_little_batches, 1000), of(TypeId::kLong), {}));
}

TEST(StreamWriter, GivesEachStreamItsSlabWhenAsked) {
  StreamWriter writer(SharedMemory::create({}), "s", make_format(Layout::kFlat),
                      {.packed_bytes = 0, .empty_batch = true});
  const Stream first = write_stream(writer, 10);
  const Stream second = write_stream(writer, 0);
  EXPECT_NE(first.region.slab, second.region.slab);
  expect_rows(first, Layout::kFlat, 10);
  expect_rows(second, Layout::kFlat, 0);
  EXPECT_EQ(StreamReader::open(*second.region.bytes())->batches(), 1u);
}

TEST(StreamWriter, SpillsOverTheBudget) {
  const auto memory =
      SharedMemory::create({.budget_bytes = 16 << 20, .pooled_bytes = 0, .spill_directory = "/tmp"});
  StreamWriter writer(memory, "s", make_format(Layout::kFlat));
  const Stream stream = write_stream(writer, 1500000);
  EXPECT_TRUE(stream.region.slab->is_spilled());
  EXPECT_GT(memory->usage().bytes_spilled, 0u);
  expect_rows(stream, Layout::kFlat, 1500000);
}

// Of this process, in the mapping that begins there.
uint64_t resident_kib(const uint8_t* mapping) {
  std::ifstream maps("/proc/self/smaps");
  std::ostringstream begin;
  begin << std::hex << reinterpret_cast<uintptr_t>(mapping) << "-";
  std::string line;
  while (std::getline(maps, line) && !line.starts_with(begin.str())) {
  }
  while (std::getline(maps, line)) {
    if (line.starts_with("Rss:")) return std::stoull(line.substr(4));
  }
  return UINT64_MAX;
}

TEST(StreamWriter, DoesNotKeepInMemoryWhatIsOnDisk) {
  const auto memory =
      SharedMemory::create({.budget_bytes = 1 << 20, .pooled_bytes = 0, .spill_directory = "/tmp"});
  StreamWriter writer(memory, "s", make_format(Layout::kFlat));
  const Stream stream = write_stream(writer, 1500000);
  ASSERT_TRUE(stream.region.slab->is_spilled());
  ASSERT_GT(stream.region.length, uint64_t{20} << 20);
  EXPECT_LT(resident_kib(stream.region.slab->data()), 1024u);  // the last pages
  expect_rows(stream, Layout::kFlat, 1500000);
}

TEST(SharedMemory, ReusesSlabsOfTheSameOwnerOnly) {
  const auto memory =
      SharedMemory::create({.budget_bytes = 1 << 30, .pooled_bytes = 1 << 28, .spill_directory = ""});
  int64_t id = 0;
  {
    const SlabPtr slab = *memory->acquire("a", 1);
    ASSERT_TRUE(slab->grow(1 << 20).ok());
    id = slab->id();
  }
  EXPECT_NE((*memory->acquire("b", 1))->id(), id);
  {
    const SlabPtr again = *memory->acquire("a", 1);
    EXPECT_EQ(again->id(), id);
    memory->retire(id);
  }
  EXPECT_NE((*memory->acquire("a", 1))->id(), id);
  memory->drop_owner("a");
  memory->drop_owner("b");
  EXPECT_EQ(memory->usage().slabs, 0);
}

TEST(SharedMemory, KeepsWarmSlabsOfWorkersApart) {
  const auto memory =
      SharedMemory::create({.budget_bytes = 1 << 30, .pooled_bytes = 1 << 28, .spill_directory = ""});
  int64_t id = 0;
  {
    const SlabPtr slab = *memory->acquire("a", 1);
    ASSERT_TRUE(slab->grow(1 << 20).ok());
    id = slab->id();
  }
  EXPECT_NE((*memory->acquire("a", 1, SlabUse::kWorker))->id(), id);
  EXPECT_EQ((*memory->acquire("a", 1))->id(), id);
}

TEST(StreamReader, RefusesBrokenBytes) {
  StreamWriter writer(SharedMemory::create({}), "s", make_format(Layout::kFlat));
  const Stream stream = write_stream(writer, 1000);
  const std::string whole(*stream.region.bytes());
  // Cut anywhere: an error or fewer rows, never a crash.
  for (size_t length = 0; length < whole.size(); length += 13) {
    const auto reader = StreamReader::open(std::string_view(whole).substr(0, length));
    if (reader.ok()) {
      EXPECT_EQ(reader->rows(), 0);
    }
  }
  // Each byte of the metadata and of the first offsets turned over.
  for (size_t at = 0; at < std::min<size_t>(whole.size(), 12000); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0xFF);
    const auto reader = StreamReader::open(changed);
    if (!reader.ok()) continue;
    auto decoder = BatchDecoder::make(*reader);
    if (!decoder.ok()) continue;
    for (size_t batch = 0; batch < reader->batches(); ++batch) (void)decoder->decode(batch);
  }
}

TEST(ArrowSchema, ComesBackAsItWent) {
  const types::Schema schema = {
      {"a", DataType(TypeId::kTimestamp), true, ""},
      {"b", DataType(TypeId::kTimestampNtz), false, ""},
      {"c", DataType::decimal(12, 3), true, ""},
      {"d", DataType::array(DataType(TypeId::kString), false), true, ""},
      {"e",
       DataType::map(DataType(TypeId::kString),
                     DataType::structure({{"x", DataType(TypeId::kDouble), true, ""}})),
       true, ""},
      {"f", DataType::day_time_interval(), true, ""},
      {"g", DataType::year_month_interval(), true, ""},
      {"h", DataType(), true, ""},
      {"i", DataType(TypeId::kBinary), true, ""},
  };
  const auto format = StreamFormat::make(schema, Layout::kFlat, "Europe/Berlin");
  ASSERT_TRUE(format.ok());
  const auto stream = StreamWriter(SharedMemory::create({}), "s", *format).finish();
  ASSERT_TRUE(stream.ok());
  const auto back = schema_of_stream(*stream->region.bytes());
  ASSERT_TRUE(back.ok()) << back.status().to_string();
  EXPECT_EQ(*back, schema);
}

}  // namespace
}  // namespace deuteron::exchange
