#include "exchange/column_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace deuteron::exchange {

using types::TypeId;

namespace {

constexpr size_t kSmallestHeapBytes = 4096;

size_t bytes_of_bits(int64_t bits) { return static_cast<size_t>((bits + 7) / 8); }

bool get_bit(const uint64_t* bits, int64_t index) { return (bits[index >> 6] >> (index & 63)) & 1; }

}  // namespace

void Buffer::attach(uint8_t* memory, size_t capacity) {
  data_ = memory;
  size_ = 0;
  capacity_ = capacity;
}

void Buffer::clear() {
  data_ = heap_.get();
  capacity_ = heap_capacity_;
  size_ = 0;
}

void Buffer::make_room(size_t bytes) {
  const size_t wanted = std::max({size_ + bytes, heap_capacity_ * 2, kSmallestHeapBytes});
  const bool was_attached = is_attached();
  auto* memory = static_cast<uint8_t*>(std::realloc(heap_.get(), wanted));
  if (memory == nullptr) throw std::bad_alloc();
  heap_.release();
  heap_.reset(memory);
  heap_capacity_ = wanted;
  if (was_attached) std::memcpy(memory, data_, size_);
  data_ = memory;
  capacity_ = wanted;
}

ColumnBuilder::ColumnBuilder(const types::DataType& column_type) : type(column_type) {
  switch (type.id()) {
    case TypeId::kArray: children.emplace_back(type.element()); break;
    case TypeId::kMap:
      children.emplace_back(type.key());
      children.emplace_back(type.value());
      break;
    case TypeId::kStruct:
      for (const types::StructField& field : type.fields()) children.emplace_back(field.type);
      break;
    default: break;
  }
}

bool ColumnBuilder::has_offsets() const {
  return type.is(TypeId::kString) || type.is(TypeId::kBinary) || type.is(TypeId::kArray) ||
         type.is(TypeId::kMap);
}

size_t ColumnBuilder::value_width() const {
  switch (type.id()) {
    case TypeId::kByte: return 1;
    case TypeId::kShort: return 2;
    case TypeId::kInteger:
    case TypeId::kFloat:
    case TypeId::kDate:
    case TypeId::kYearMonthInterval: return 4;
    case TypeId::kLong:
    case TypeId::kDouble:
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz:
    case TypeId::kDayTimeInterval: return 8;
    case TypeId::kDecimal:
    case TypeId::kCalendarInterval: return 16;
    default: return 0;
  }
}

void ColumnBuilder::materialize_validity() {
  if (validity.size() == 0 && length > 0) {
    const size_t bytes = bytes_of_bits(length);
    std::memset(validity.extend(bytes), 0xFF, bytes);
  }
}

void ColumnBuilder::add_valid(int64_t count) {
  if (null_count > 0) {
    const size_t bytes = bytes_of_bits(length + count) - validity.size();
    std::memset(validity.extend(bytes), 0xFF, bytes);
    // The rest of what was the last byte may hold zeros.
    for (int64_t i = length; i < std::min(length + count, (length + 7) / 8 * 8); ++i)
      set_bit(validity.data(), i, true);
  }
  length += count;
}

void ColumnBuilder::add_null() {
  materialize_validity();
  const size_t bytes = bytes_of_bits(length + 1) - validity.size();
  if (bytes > 0) *validity.extend(bytes) = 0;
  set_bit(validity.data(), length, false);
  ++length;
  ++null_count;
}

void ColumnBuilder::add_validity(const uint64_t* bits, int64_t start, int64_t count) {
  int64_t valid = 0;
  for (int64_t i = 0; i < count;) {
    const int64_t index = start + i;
    if ((index & 63) == 0 && count - i >= 64) {
      valid += std::popcount(bits[index >> 6]);
      i += 64;
    } else {
      valid += get_bit(bits, index) ? 1 : 0;
      ++i;
    }
  }
  if (valid == count) return add_valid(count);
  materialize_validity();
  const size_t bytes = bytes_of_bits(length + count) - validity.size();
  std::memset(validity.extend(bytes), 0, bytes);
  if ((length & 7) == 0 && (start & 7) == 0) {
    std::memcpy(validity.data() + length / 8, reinterpret_cast<const uint8_t*>(bits) + start / 8,
                bytes_of_bits(count));
  } else {
    for (int64_t i = 0; i < count; ++i) set_bit(validity.data(), length + i, get_bit(bits, start + i));
  }
  length += count;
  null_count += count - valid;
}

void ColumnBuilder::add_booleans(const uint8_t* bytes, int64_t count) {
  const auto before = static_cast<int64_t>(length);
  const size_t wanted = bytes_of_bits(before + count);
  if (wanted > values.size()) {
    const size_t more = wanted - values.size();
    std::memset(values.extend(more), 0, more);
  }
  for (int64_t i = 0; i < count; ++i) set_bit(values.data(), before + i, bytes[i] != 0);
}

int32_t* ColumnBuilder::extend_offsets(int64_t count) {
  if (offsets.size() == 0) {
    const int32_t zero = 0;
    std::memcpy(offsets.extend(sizeof(zero)), &zero, sizeof(zero));
  }
  return reinterpret_cast<int32_t*>(offsets.extend(static_cast<size_t>(count) * sizeof(int32_t)));
}

int32_t ColumnBuilder::last_offset() const {
  if (offsets.size() == 0) return 0;
  int32_t offset = 0;
  std::memcpy(&offset, offsets.data() + offsets.size() - sizeof(offset), sizeof(offset));
  return offset;
}

void ColumnBuilder::clear() {
  length = 0;
  null_count = 0;
  validity.clear();
  offsets.clear();
  values.clear();
  for (ColumnBuilder& child : children) child.clear();
}

size_t ColumnBuilder::heap_bytes() const {
  size_t bytes = 0;
  for (const Buffer* buffer : {&validity, &offsets, &values}) {
    if (!buffer->is_attached()) bytes += buffer->size();
  }
  for (const ColumnBuilder& child : children) bytes += child.heap_bytes();
  return bytes;
}

}  // namespace deuteron::exchange
