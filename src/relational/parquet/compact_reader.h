// Thrift's compact protocol, as Parquet's footer and page headers use it. Reads bytes that it does not own;
// bytes that end early or make no sense leave ok() false and all further values 0. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace deuteron::relational::parquet {

class CompactReader {
 public:
  enum class Type : uint8_t {
    kStop = 0,
    kTrue = 1,
    kFalse = 2,
    kByte = 3,
    kInteger16 = 4,
    kInteger32 = 5,
    kInteger64 = 6,
    kDouble = 7,
    kBinary = 8,
    kList = 9,
    kSet = 10,
    kMap = 11,
    kStruct = 12,
  };

  explicit CompactReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }

  // Calls visit(id, type) for each field; it returns whether it has read the value, which is skipped
  // otherwise.
  template <typename Visit>
  void fields(const Visit& visit) {
    int64_t id = 0;
    while (ok_) {
      const uint8_t header = byte();
      const auto type = static_cast<Type>(header & 15);
      if (type == Type::kStop) return;
      id = (header >> 4) == 0 ? integer() : id + (header >> 4);
      if (ok_ && !visit(id, type)) skip(type);
    }
  }

  // Calls visit(type) for each element; it reads the element.
  template <typename Visit>
  void elements(const Visit& visit) {
    const List list = list_header();
    for (uint64_t i = 0; ok_ && i < list.size; ++i) visit(list.type);
  }

  int64_t integer();  // of any width but a byte's
  std::string_view binary();
  void skip(Type type) { skip(type, 0); }

 private:
  struct List {
    Type type;
    uint64_t size;
  };
  uint8_t byte();
  uint64_t unsigned_integer();
  List list_header();
  void skip(Type type, int depth);
  void advance(uint64_t bytes);

  std::string_view bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace deuteron::relational::parquet
