#include "relational/parquet/column_pages.h"

#include <duckdb.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <type_traits>

#include "relational/database.h"
#include "relational/parquet/compact_reader.h"
#include "relational/parquet/snappy.h"

namespace deuteron::relational::parquet {

namespace {

using exchange::ColumnBuilder;
using types::TypeId;
using Type = CompactReader::Type;

// The numbers of parquet.thrift.
enum Kind : int64_t { kDataPage = 0, kDictionaryPage = 2, kDataPageV2 = 3 };
enum Encoding : int64_t { kPlain = 0, kPlainDictionary = 2, kRuns = 3, kRunsDictionary = 8 };

// Most headers are shorter than the first; they have the smallest and the largest value in them.
constexpr size_t kHeaderBytes[] = {512, size_t{1} << 20};
constexpr int64_t kMostPageBytes = int64_t{1} << 30;
constexpr int64_t kCodesAtOnce = 1024;
constexpr size_t kShortText = RunDecoder::kSlack;
static_assert(kSnappySlack <= RunDecoder::kSlack);

uint32_t length_at(const uint8_t* bytes) {
  uint32_t length = 0;
  std::memcpy(&length, bytes, sizeof(length));
  return length;
}

bool is_ascii(std::string_view text) {
  uint8_t bits = 0;
  for (const char byte : text) bits |= static_cast<uint8_t>(byte);
  return bits < 128;
}

bool is_utf8(std::string_view text) {
  if (is_ascii(text)) return true;
  duckdb_error_data failure = duckdb_valid_utf8_check(text.data(), text.size());
  const bool is_valid = failure == nullptr || !duckdb_error_data_has_error(failure);
  duckdb_destroy_error_data(&failure);
  return is_valid;
}

// The largest decimal. Unsigned like all values here, which are moved, not reckoned with.
using Wide = unsigned __int128;

// Of as many bytes as a value of the column has.
template <typename Kept>
Kept value_at(const uint8_t* bytes, size_t) {
  Kept value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}
template <>
Wide value_at<Wide>(const uint8_t* bytes, size_t width) {  // a decimal, its sign first
  Wide value = bytes[0] < 128 ? Wide{0} : ~Wide{0};
  for (size_t i = 0; i < width; ++i) value = value << 8 | bytes[i];
  return value;
}

// Values that stand close together are moved to their rows; those of nulls are 0.
template <typename Value>
void spread(Value* values, const std::vector<uint32_t>& presence, int64_t rows, int64_t present) {
  for (int64_t row = rows; row-- > 0;) {
    const uint32_t is_present = presence[static_cast<size_t>(row)];
    present -= is_present;
    values[row] = static_cast<Value>(values[present] & static_cast<Value>(Value{0} - Value{is_present != 0}));
  }
}

// Whether one of the codes is not below `size`. All codes that there is room for are looked at: the compiler
// does several at once if their number is known.
bool exceed(const uint32_t (&codes)[kCodesAtOnce], uint32_t size) {
  uint32_t high = 0;
  for (const uint32_t code : codes) high |= code | (size - 1 - code);
  return (high >> 31) != 0;
}

}  // namespace

struct ColumnPages::Header {
  int64_t kind = -1;
  int64_t bytes = 0;  // decompressed
  int64_t bytes_in_file = 0;
  int64_t values = 0;
  int64_t encoding = -1;
  int64_t level_encoding = kRuns;
  int64_t level_bytes = 0;  // of a page of the second version
  int64_t repetition_bytes = 0;
  bool is_compressed = true;
};

Status ColumnPages::broken(const char* what) const {
  return failed_read("FAILED_READ_FILE", "file://" + source_.path,
                     std::string("The Parquet file is broken: ") + what);
}

size_t ColumnPages::value_bytes() const {
  switch (format_.stored) {
    case Stored::kFourBytes: return 4;
    case Stored::kEightBytes: return 8;
    default: return format_.fixed_bytes;
  }
}

void ColumnPages::begin(const ColumnChunk& chunk) {
  codec_ = chunk.codec;
  next_ = chunk.begin;
  end_ = chunk.begin + chunk.bytes;
  rows_left_ = 0;
  dictionary_size_ = 0;
  dictionary_texts_.clear();
}

Status ColumnPages::read(int64_t rows, ColumnBuilder& column) {
  while (rows > 0) {
    while (rows_left_ == 0) RETURN_IF_ERROR(next_page());
    const int64_t now = std::min(rows, rows_left_);
    RETURN_IF_ERROR(append(now, column));
    rows_left_ -= now;
    rows -= now;
  }
  return Status();
}

Status ColumnPages::read_bytes(uint64_t begin, uint8_t* to, size_t bytes) const {
  while (bytes > 0) {
    const ssize_t count = pread(source_.file, to, bytes, static_cast<off_t>(begin));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return broken("it ends early");
    begin += static_cast<uint64_t>(count);
    to += count;
    bytes -= static_cast<size_t>(count);
  }
  return Status();
}

Result<ColumnPages::Header> ColumnPages::read_header() {
  for (const size_t most : kHeaderBytes) {
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(most, end_ - next_));
    uint8_t* data = source_.compressed.room(bytes);
    RETURN_IF_ERROR(read_bytes(next_, data, bytes));
    CompactReader reader({reinterpret_cast<const char*>(data), bytes});
    Header header;
    const auto read_number = [&](Type type, int64_t& number) {
      if (type != Type::kInteger32) return false;
      number = reader.integer();
      return true;
    };
    const auto read_page = [&](int64_t kind) {
      reader.fields([&](int64_t id, Type type) {
        if (id == 1) return read_number(type, header.values);
        if (kind == kDataPageV2) {
          if (id == 4) return read_number(type, header.encoding);
          if (id == 5) return read_number(type, header.level_bytes);
          if (id == 6) return read_number(type, header.repetition_bytes);
          if (id == 7) header.is_compressed = type == Type::kTrue;
          return false;
        }
        if (id == 2) return read_number(type, header.encoding);
        return id == 3 && kind == kDataPage && read_number(type, header.level_encoding);
      });
      return true;
    };
    reader.fields([&](int64_t id, Type type) {
      switch (id) {
        case 1: return read_number(type, header.kind);
        case 2: return read_number(type, header.bytes);
        case 3: return read_number(type, header.bytes_in_file);
        case 5: return type == Type::kStruct && read_page(kDataPage);
        case 7: return type == Type::kStruct && read_page(kDictionaryPage);
        case 8: return type == Type::kStruct && read_page(kDataPageV2);
        default: return false;
      }
    });
    if (!reader.ok()) continue;
    next_ += reader.position();
    const bool fits = header.bytes_in_file >= 0 &&
                      static_cast<uint64_t>(header.bytes_in_file) <= end_ - next_ && header.bytes >= 0 &&
                      header.bytes <= kMostPageBytes && header.values >= 0 &&
                      header.values <= std::numeric_limits<int32_t>::max();
    if (!fits) return broken("the size of a page");
    return header;
  }
  return broken("the header of a page");
}

Result<ColumnPages::Body> ColumnPages::read_body(const Header& header, PageBuffer& into) {
  const auto bytes = static_cast<size_t>(header.bytes);
  const auto in_file = static_cast<size_t>(header.bytes_in_file);
  const uint64_t begin = next_;
  next_ += in_file;
  uint8_t* data = into.room(bytes);
  if (codec_ == Codec::kNone || !header.is_compressed) {
    if (bytes != in_file) return broken("the size of a page");
    RETURN_IF_ERROR(read_bytes(begin, data, bytes));
    return Body{data, bytes};
  }
  // The levels of a page of the second version stand before what is compressed.
  const auto levels = static_cast<size_t>(header.level_bytes);
  if (levels > bytes || levels > in_file) return broken("the size of levels");
  uint8_t* compressed = source_.compressed.room(in_file);
  RETURN_IF_ERROR(read_bytes(begin, compressed, in_file));
  std::memcpy(data, compressed, levels);
  const uint8_t* from = compressed + levels;
  const size_t from_bytes = in_file - levels;
  const size_t to_bytes = bytes - levels;
  const bool is_good = to_bytes == 0 ? true
                       : codec_ == Codec::kSnappy
                           ? decompress_snappy(from, from_bytes, data + levels, to_bytes)
                           : ZSTD_decompress(data + levels, to_bytes, from, from_bytes) == to_bytes;
  if (!is_good) return broken("a page that cannot be decompressed");
  return Body{data, bytes};
}

Status ColumnPages::next_page() {
  if (next_ >= end_) return broken("a column ends early");
  ASSIGN_OR_RETURN(const Header header, read_header());
  switch (header.kind) {
    case kDictionaryPage: return begin_dictionary(header);
    case kDataPage:
    case kDataPageV2: return begin_values(header);
    default: next_ += static_cast<uint64_t>(header.bytes_in_file); return Status();
  }
}

Status ColumnPages::begin_dictionary(const Header& header) {
  if (header.encoding != kPlain && header.encoding != kPlainDictionary)
    return broken("the encoding of a dictionary");
  ASSIGN_OR_RETURN(const Body body, read_body(header, dictionary_bytes_));
  dictionary_size_ = header.values;
  if (format_.stored == Stored::kBit) return broken("a dictionary of truth values");
  if (format_.stored != Stored::kText) {
    if (static_cast<uint64_t>(header.values) > body.bytes / value_bytes())
      return broken("the size of a dictionary");
    return Status();
  }
  values_ = body.data;
  values_end_ = body.data + body.bytes;
  dictionary_texts_.clear();
  for (int64_t i = 0; i < header.values; ++i) RETURN_IF_ERROR(next_text(dictionary_texts_.emplace_back()));
  return Status();
}

Status ColumnPages::begin_values(const Header& header) {
  const bool is_first_version = header.kind == kDataPage;
  if (header.level_bytes < 0 || header.repetition_bytes != 0) return broken("the size of levels");
  ASSIGN_OR_RETURN(const Body body, read_body(header, page_));
  const uint8_t* begin = body.data;
  const uint8_t* end = body.data + body.bytes;
  auto levels = static_cast<size_t>(header.level_bytes);
  if (is_first_version && format_.may_be_null) {
    if (header.level_encoding != kRuns) return broken("the encoding of levels");
    if (end - begin < 4) return broken("the size of levels");
    levels = length_at(begin);
    begin += 4;
  }
  if (levels > static_cast<size_t>(end - begin)) return broken("the size of levels");
  levels_ = RunDecoder(begin, begin + levels, 1);
  begin += levels;
  values_ = begin;
  values_end_ = end;
  rows_left_ = header.values;
  if (format_.stored == Stored::kBit) {
    if (header.encoding != kPlain && (header.encoding != kRuns || end - begin < 4))
      return broken("the encoding of a page");
    codes_ = header.encoding == kPlain ? RunDecoder::of_bits(begin, end) : RunDecoder(begin + 4, end, 1);
    return Status();
  }
  is_coded_ = header.encoding == kPlainDictionary || header.encoding == kRunsDictionary;
  if (is_coded_) {
    const int bits = begin == end ? 0 : *begin++;
    if (bits > RunDecoder::kMostBits) return broken("the width of codes");
    codes_ = RunDecoder(begin, end, bits);
  } else if (header.encoding != kPlain) {
    return broken("the encoding of a page");
  }
  return Status();
}

Status ColumnPages::append(int64_t rows, ColumnBuilder& column) {
  int64_t present = rows;
  if (format_.may_be_null && !levels_.skip_repeated(1, rows)) {
    presence_.resize(static_cast<size_t>(rows));
    if (!levels_.get(presence_.data(), rows)) return broken("levels that end early");
    present = 0;
    uint32_t any = 0;
    for (const uint32_t level : presence_) {
      present += level;
      any |= level;
    }
    if (any > 1) return broken("a level");
  }
  RETURN_IF_ERROR(append_values(rows, present, column));
  if (present == rows) {
    column.add_valid(rows);
    return Status();
  }
  validity_.clear();
  for (int64_t row = 0; row < rows; row += 64) {
    uint64_t bits = 0;
    const int64_t end = std::min<int64_t>(64, rows - row);
    for (int64_t i = 0; i < end; ++i)
      bits |= static_cast<uint64_t>(presence_[static_cast<size_t>(row + i)]) << i;
    validity_.push_back(bits);
  }
  column.add_validity(validity_.data(), 0, rows);
  return Status();
}

Status ColumnPages::append_values(int64_t rows, int64_t present, ColumnBuilder& column) {
  switch (format_.stored) {
    case Stored::kBit: return append_booleans(rows, present, column);
    case Stored::kText: return append_text(rows, present, column);
    case Stored::kFixedBytes: return append_numbers<Wide, Wide>(rows, present, column);
    case Stored::kEightBytes:
      return type_ == TypeId::kDecimal ? append_numbers<int64_t, Wide>(rows, present, column)
                                       : append_numbers<uint64_t, uint64_t>(rows, present, column);
    case Stored::kFourBytes: break;
  }
  switch (type_) {
    case TypeId::kByte: return append_numbers<int32_t, uint8_t>(rows, present, column);
    case TypeId::kShort: return append_numbers<int32_t, uint16_t>(rows, present, column);
    case TypeId::kDecimal: return append_numbers<int32_t, Wide>(rows, present, column);
    default: return append_numbers<uint32_t, uint32_t>(rows, present, column);
  }
}

// Kept: as pages and dictionaries have it, in so many bytes.
template <typename Kept, typename Value>
Status ColumnPages::append_numbers(int64_t rows, int64_t present, ColumnBuilder& column) {
  auto* target = reinterpret_cast<Value*>(column.values.extend(static_cast<size_t>(rows) * sizeof(Value)));
  const size_t width = std::is_same_v<Kept, Wide> ? value_bytes() : sizeof(Kept);
  if (!is_coded_) {
    const size_t bytes = static_cast<size_t>(present) * width;
    if (bytes > static_cast<size_t>(values_end_ - values_)) return broken("values that end early");
    if constexpr (std::is_same_v<Kept, Value> && !std::is_same_v<Kept, Wide>) {
      std::memcpy(target, values_, bytes);
    } else {
      for (int64_t i = 0; i < present; ++i)
        target[i] = static_cast<Value>(value_at<Kept>(values_ + static_cast<size_t>(i) * width, width));
    }
    values_ += bytes;
  }
  const uint8_t* dictionary = dictionary_bytes_.data();
  const auto size = static_cast<uint32_t>(dictionary_size_);
  uint32_t codes[kCodesAtOnce] = {};
  for (int64_t done = 0; is_coded_ && done < present;) {
    const int64_t now = std::min(kCodesAtOnce, present - done);
    if (!codes_.get(codes, now)) return broken("codes that end early");
    if (exceed(codes, size)) return broken("a code that the dictionary lacks");
    for (int64_t i = 0; i < now; ++i)
      target[done + i] = static_cast<Value>(value_at<Kept>(dictionary + size_t{codes[i]} * width, width));
    done += now;
  }
  if (present < rows) spread(target, presence_, rows, present);
  return Status();
}

Status ColumnPages::append_booleans(int64_t rows, int64_t present, ColumnBuilder& column) {
  booleans_.resize(static_cast<size_t>(rows));
  uint32_t bits[kCodesAtOnce];
  for (int64_t done = 0; done < present;) {
    const int64_t now = std::min(kCodesAtOnce, present - done);
    if (!codes_.get(bits, now)) return broken("values that end early");
    for (int64_t i = 0; i < now; ++i)
      booleans_[static_cast<size_t>(done + i)] = static_cast<uint8_t>(bits[i] & 1);
    done += now;
  }
  if (present < rows) spread(booleans_.data(), presence_, rows, present);
  column.add_booleans(booleans_.data(), rows);
  return Status();
}

// Of a page or a dictionary of plain values.
Status ColumnPages::next_text(std::string_view& text) {
  const auto left = static_cast<size_t>(values_end_ - values_);
  const size_t length = left < 4 ? 0 : length_at(values_);
  if (left < 4 || length > left - 4) return broken("values that end early");
  text = {reinterpret_cast<const char*>(values_) + 4, length};
  values_ += 4 + length;
  return type_ == TypeId::kBinary || is_utf8(text) ? Status() : broken("text that is not UTF-8");
}

Status ColumnPages::append_text(int64_t rows, int64_t present, ColumnBuilder& column) {
  int64_t end = column.last_offset();
  int32_t* offsets = column.extend_offsets(rows);
  uint32_t codes[kCodesAtOnce] = {};
  std::string_view texts[kCodesAtOnce];
  for (int64_t done = 0; done < rows;) {
    const int64_t now = std::min(kCodesAtOnce, rows - done);
    const uint32_t* presence = present == rows ? nullptr : presence_.data() + done;
    const int64_t here = presence == nullptr ? now : std::count(presence, presence + now, 1u);
    if (is_coded_) {
      if (!codes_.get(codes, here)) return broken("codes that end early");
      if (here > 0 && exceed(codes, static_cast<uint32_t>(dictionary_texts_.size())))
        return broken("a code that the dictionary lacks");
      for (int64_t i = 0; i < here; ++i) texts[i] = dictionary_texts_[codes[i]];
    } else {
      for (int64_t i = 0; i < here; ++i) RETURN_IF_ERROR(next_text(texts[i]));
    }
    size_t total = 0;
    for (int64_t i = 0; i < here; ++i) total += texts[i].size();
    if (total > static_cast<size_t>(std::numeric_limits<int32_t>::max() - end))
      return error("UNSUPPORTED_FEATURE", {{"feature", "more than 2 GiB of text in one Arrow batch"}});
    uint8_t* target = column.values.extend(total);
    const uint8_t* target_end = target + total;
    const std::string_view* text = texts;
    for (int64_t i = 0; i < now; ++i) {
      if (presence == nullptr || presence[i] != 0) {
        // Of short text more is copied than there is, which needs no call.
        if (text->size() <= kShortText && target + kShortText <= target_end) {
          std::memcpy(target, text->data(), kShortText);
        } else {
          std::memcpy(target, text->data(), text->size());
        }
        target += text->size();
        end += static_cast<int64_t>(text->size());
        ++text;
      }
      offsets[done + i] = static_cast<int32_t>(end);
    }
    done += now;
  }
  return Status();
}

}  // namespace deuteron::relational::parquet
