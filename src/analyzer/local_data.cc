#include "analyzer/local_data.h"

#include <cstring>

#include "sql/json_type.h"
#include "sql/parser.h"

namespace deuteron::analyzer {
namespace {

template <typename Number>
bool read(const std::string& bytes, size_t position, Number& number) {
  if (position > bytes.size() || bytes.size() - position < sizeof number) return false;
  std::memcpy(&number, bytes.data() + position, sizeof number);
  return true;
}

// Position of field `index` of the flatbuffer table at `table`; 0 when it is not there.
size_t table_field(const std::string& bytes, size_t table, int index) {
  int32_t to_directory = 0;
  if (!read(bytes, table, to_directory)) return 0;
  const size_t directory = table - static_cast<size_t>(static_cast<int64_t>(to_directory));
  uint16_t directory_size = 0;
  uint16_t offset = 0;
  const size_t entry = 4 + 2 * static_cast<size_t>(index);
  if (!read(bytes, directory, directory_size) || entry + 2 > directory_size) return 0;
  return read(bytes, directory + entry, offset) && offset != 0 ? table + offset : 0;
}

struct Message {
  uint8_t kind = 0;
  int64_t rows = 0;
  int64_t body = 0;
};

// Arrow's Message: header type (1), header (2), body length (3); a record batch (kind 3) starts with its
// length.
Message read_message(const std::string& bytes, size_t start) {
  constexpr uint8_t kRecordBatch = 3;
  Message message;
  uint32_t root = 0;
  if (!read(bytes, start, root)) return message;
  const size_t table = start + root;
  if (const size_t kind = table_field(bytes, table, 1)) read(bytes, kind, message.kind);
  if (const size_t body = table_field(bytes, table, 3)) read(bytes, body, message.body);
  const size_t header = table_field(bytes, table, 2);
  uint32_t to_header = 0;
  if (message.kind != kRecordBatch || header == 0 || !read(bytes, header, to_header)) return message;
  if (const size_t length = table_field(bytes, header + to_header, 0)) read(bytes, length, message.rows);
  return message;
}

}  // namespace

Result<types::Schema> parse_schema_text(const std::string& text) {
  if (!sql::is_json_type(text)) return sql::parse_schema(text);
  ASSIGN_OR_RETURN(const types::DataType type, sql::parse_json_type(text));
  if (type.is(types::TypeId::kStruct)) return type.fields();
  return types::Schema{{"value", type, true, ""}};
}

int64_t count_rows(const std::string& stream) {
  int64_t rows = 0;
  size_t position = 0;
  while (true) {
    uint32_t marker = 0;
    if (!read(stream, position, marker)) return rows;
    uint32_t size = marker;
    size_t start = position + 4;
    if (marker == 0xFFFFFFFF) {
      if (!read(stream, start, size)) return rows;
      start += 4;
    }
    if (size == 0 || size > stream.size()) return rows;
    const Message message = read_message(stream, start);
    if (message.body < 0 || message.rows < 0) return rows;
    rows += message.rows;
    position = start + size + static_cast<size_t>(message.body);
    if (position <= start) return rows;
  }
}

}  // namespace deuteron::analyzer
