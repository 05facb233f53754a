#include "relational/parquet/compact_reader.h"

namespace deuteron::relational::parquet {

namespace {

constexpr int kDeepest = 32;  // values within values

}  // namespace

uint8_t CompactReader::byte() {
  if (position_ >= bytes_.size()) ok_ = false;
  return ok_ ? static_cast<uint8_t>(bytes_[position_++]) : 0;
}

uint64_t CompactReader::unsigned_integer() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t part = byte();
    value |= static_cast<uint64_t>(part & 127) << shift;
    if (part < 128) return value;
  }
  ok_ = false;
  return 0;
}

int64_t CompactReader::integer() {
  const uint64_t value = unsigned_integer();
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

void CompactReader::advance(uint64_t bytes) {
  if (bytes > bytes_.size() - position_) {
    ok_ = false;
  } else {
    position_ += bytes;
  }
}

std::string_view CompactReader::binary() {
  const uint64_t length = unsigned_integer();
  const size_t begin = position_;
  advance(length);
  return ok_ ? bytes_.substr(begin, length) : std::string_view();
}

CompactReader::List CompactReader::list_header() {
  const uint8_t header = byte();
  List list{static_cast<Type>(header & 15), static_cast<uint64_t>(header >> 4)};
  if (list.size == 15) list.size = unsigned_integer();
  return list;
}

void CompactReader::skip(Type type, int depth) {
  if (depth > kDeepest) ok_ = false;
  if (!ok_) return;
  // A truth value is a byte in a list and nothing in a struct, where the field's type says it.
  const auto skip_element = [&](Type element) {
    if (element == Type::kTrue || element == Type::kFalse) {
      byte();
    } else {
      skip(element, depth + 1);
    }
  };
  switch (type) {
    case Type::kTrue:
    case Type::kFalse: return;
    case Type::kByte: byte(); return;
    case Type::kInteger16:
    case Type::kInteger32:
    case Type::kInteger64: unsigned_integer(); return;
    case Type::kDouble: advance(8); return;
    case Type::kBinary: binary(); return;
    case Type::kList:
    case Type::kSet: elements(skip_element); return;
    case Type::kMap: {
      const uint64_t size = unsigned_integer();
      const uint8_t types = size == 0 ? 0 : byte();
      for (uint64_t i = 0; ok_ && i < size; ++i) {
        skip_element(static_cast<Type>(types >> 4));
        skip_element(static_cast<Type>(types & 15));
      }
      return;
    }
    case Type::kStruct:
      fields([&](int64_t, Type field) {
        skip(field, depth + 1);
        return true;
      });
      return;
    case Type::kStop: break;
  }
  ok_ = false;
}

}  // namespace deuteron::relational::parquet
