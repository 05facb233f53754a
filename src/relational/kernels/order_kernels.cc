// order_key: bytes that compare as Spark compares the values they are made of. Spark takes nulls inside
// arrays and structs as least, NaN as greatest and -0.0 as 0.0; DuckDB takes nulls inside as greatest.
#include "relational/kernels/column.h"
#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

// Each element or field starts with a mark; a list's end is less than whatever might follow.
constexpr char kEnd = 0, kNull = 1, kValue = 2;

// Big-endian, with the sign turned: bytes are compared as unsigned ones.
template <typename Unsigned>
void append_unsigned(std::string& key, Unsigned value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8)
    key += static_cast<char>(static_cast<unsigned char>(value >> shift));
}
template <typename Unsigned, typename Signed>
void append_signed(std::string& key, Signed value) {
  append_unsigned(key, static_cast<Unsigned>(static_cast<Unsigned>(value) ^
                                             static_cast<Unsigned>(Unsigned{1} << (sizeof value * 8 - 1))));
}

// Negative numbers grow with their bits, so they are turned as a whole.
template <typename Unsigned, typename Signed>
void append_floating(std::string& key, Signed bits) {
  if (bits < 0)
    append_unsigned(key, static_cast<Unsigned>(~static_cast<Unsigned>(bits)));
  else
    append_signed<Unsigned>(key, bits);
}

// A zero is written as 0 FF, the end as 0 0: a text is less than one that goes on.
void append_bytes(std::string& key, std::string_view bytes) {
  for (const char byte : bytes) {
    key += byte;
    if (byte == 0) key += static_cast<char>(0xFF);
  }
  key.append(2, 0);
}

void append_key(std::string& key, const Column& column, idx_t row);

void append_item(std::string& key, const Column& column, idx_t row) {
  const bool is_null = row_is_null(column.validity, row);
  key += is_null ? kNull : kValue;
  if (!is_null) append_key(key, column, row);
}

void append_key(std::string& key, const Column& column, idx_t row) {
  switch (column.id) {
    case DUCKDB_TYPE_BOOLEAN: key += static_cast<char>(column.at<bool>(row) ? 1 : 0); break;
    case DUCKDB_TYPE_TINYINT: append_signed<uint8_t>(key, column.at<int8_t>(row)); break;
    case DUCKDB_TYPE_SMALLINT: append_signed<uint16_t>(key, column.at<int16_t>(row)); break;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: append_signed<uint32_t>(key, column.at<int32_t>(row)); break;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP: append_signed<uint64_t>(key, column.at<int64_t>(row)); break;
    case DUCKDB_TYPE_FLOAT: append_floating<uint32_t>(key, bits_of(column.at<float>(row))); break;
    case DUCKDB_TYPE_DOUBLE: append_floating<uint64_t>(key, bits_of(column.at<double>(row))); break;
    case DUCKDB_TYPE_DECIMAL: append_signed<unsigned __int128>(key, unscaled(column, row)); break;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: {
      duckdb_string_t text = column.at<duckdb_string_t>(row);
      append_bytes(key, view_of(&text));
      break;
    }
    case DUCKDB_TYPE_LIST: {
      const auto entry = column.at<duckdb_list_entry>(row);
      for (idx_t i = 0; i < entry.length; ++i) append_item(key, column.children[0], entry.offset + i);
      key += kEnd;
      break;
    }
    case DUCKDB_TYPE_STRUCT:
      for (const Column& field : column.children) append_item(key, field, row);
      break;
    default: break;  // Spark does not order maps and calendar intervals: the analyzer refuses them
  }
}

void make_keys(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
  const Column column = column_of(duckdb_data_chunk_get_vector(input, 0));
  duckdb_vector_ensure_validity_writable(output);
  uint64_t* validity = duckdb_vector_get_validity(output);
  OwnedBlob key;
  for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
    if (row_is_null(column.validity, row)) {
      duckdb_validity_set_row_invalid(validity, row);
      continue;
    }
    key.bytes.clear();
    append_key(key.bytes, column, row);
    store(output, row, key);
  }
}

}  // namespace

std::optional<Signature> find_order_kernel(std::string_view name) {
  if (name != "order_key") return std::nullopt;
  return Signature{.arguments = {}, .result = DUCKDB_TYPE_BLOB, .body = make_keys, .is_variadic = true};
}

}  // namespace deuteron::relational::kernels
