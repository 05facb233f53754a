#include "relational/parquet/footer.h"

#include <algorithm>
#include <cctype>

#include "relational/parquet/compact_reader.h"

namespace deuteron::relational::parquet {

namespace {

using types::TypeId;
using Type = CompactReader::Type;

// The numbers of parquet.thrift.
enum Physical : int64_t {
  kBoolean = 0,
  kInt32 = 1,
  kInt64 = 2,
  kFloat = 4,
  kDouble = 5,
  kByteArray = 6,
  kFixedByteArray = 7
};
enum Repetition : int64_t { kRequired = 0, kOptional = 1 };
enum Annotation : int64_t {
  kStringAnnotation = 1,
  kDecimalAnnotation = 5,
  kDateAnnotation = 6,
  kTimestampAnnotation = 8,
  kIntegerAnnotation = 10
};
enum Converted : int64_t {
  kUtf8 = 0,
  kDecimal = 5,
  kDate = 6,
  kTimestampMicros = 10,
  kSigned8 = 15,
  kSigned16 = 16,
  kSigned32 = 17,
  kSigned64 = 18
};
constexpr int64_t kMicros = 2;
constexpr int64_t kNone = -1;
constexpr int64_t kMostDecimalBytes = 16;

struct SchemaElement {
  std::string_view name;
  int64_t physical = kNone;
  int64_t repetition = kRequired;
  int64_t children = 0;
  int64_t converted = kNone;
  int64_t length = 0;  // of fixed bytes
  int64_t scale = 0;
  int64_t precision = 0;
  int64_t annotation = kNone;
  bool is_utc = false;
  int64_t unit = kNone;
};

struct Chunk {
  int64_t physical = kNone;
  int64_t codec = kNone;
  int64_t bytes = 0;
  int64_t data_page = 0;
  int64_t dictionary_page = 0;
  bool is_readable = true;
};

void read_annotation(CompactReader& reader, SchemaElement& element) {
  reader.fields([&](int64_t id, Type type) {
    element.annotation = id;
    if (id != kTimestampAnnotation || type != Type::kStruct) return false;
    reader.fields([&](int64_t part, Type part_type) {
      if (part == 1) element.is_utc = part_type == Type::kTrue;
      if (part != 2 || part_type != Type::kStruct) return false;
      reader.fields([&](int64_t unit, Type) {
        element.unit = unit;
        return false;
      });
      return true;
    });
    return true;
  });
}

SchemaElement read_element(CompactReader& reader) {
  SchemaElement element;
  reader.fields([&](int64_t id, Type type) {
    if (id == 10 && type == Type::kStruct) {
      read_annotation(reader, element);
      return true;
    }
    if (id == 4 && type == Type::kBinary) {
      element.name = reader.binary();
      return true;
    }
    if (type != Type::kInteger32) return false;
    switch (id) {
      case 1: element.physical = reader.integer(); return true;
      case 2: element.length = reader.integer(); return true;
      case 3: element.repetition = reader.integer(); return true;
      case 5: element.children = reader.integer(); return true;
      case 6: element.converted = reader.integer(); return true;
      case 7: element.scale = reader.integer(); return true;
      case 8: element.precision = reader.integer(); return true;
      default: return false;
    }
  });
  return element;
}

// Plain values, dictionaries, and levels as runs.
bool is_readable_encoding(int64_t encoding) {
  constexpr int64_t kReadable[] = {0, 2, 3, 4, 8};  // 4: levels in old files' lists, of those that have none
  return std::find(std::begin(kReadable), std::end(kReadable), encoding) != std::end(kReadable);
}

Chunk read_chunk(CompactReader& reader) {
  Chunk chunk;
  reader.fields([&](int64_t id, Type type) {
    if (id == 1 || id == 8 || id == 9) chunk.is_readable = false;  // in another file, or encrypted
    if (id != 3 || type != Type::kStruct) return false;
    reader.fields([&](int64_t part, Type part_type) {
      if (part == 2 && part_type == Type::kList) {
        reader.elements([&](Type) {
          if (!is_readable_encoding(reader.integer())) chunk.is_readable = false;
        });
        return true;
      }
      if (part_type != Type::kInteger32 && part_type != Type::kInteger64) return false;
      switch (part) {
        case 1: chunk.physical = reader.integer(); return true;
        case 4: chunk.codec = reader.integer(); return true;
        case 7: chunk.bytes = reader.integer(); return true;
        case 9: chunk.data_page = reader.integer(); return true;
        case 11: chunk.dictionary_page = reader.integer(); return true;
        default: return false;
      }
    });
    return true;
  });
  return chunk;
}

bool has_type(const SchemaElement& element, const types::DataType& type) {
  const bool is_bare = element.annotation == kNone && element.converted == kNone;
  // Old files have only the converted type, new ones perhaps only the annotation.
  const auto is_annotated = [&](int64_t annotation, int64_t converted) {
    return !is_bare && (element.annotation == kNone || element.annotation == annotation) &&
           (element.converted == kNone || element.converted == converted);
  };
  // An integer's annotation alone is not looked into.
  const auto is_integer = [&](int64_t physical, int64_t converted) {
    return element.physical == physical && element.converted == converted &&
           is_annotated(kIntegerAnnotation, converted);
  };
  switch (type.id()) {
    case TypeId::kBoolean: return is_bare && element.physical == kBoolean;
    case TypeId::kByte: return is_integer(kInt32, kSigned8);
    case TypeId::kShort: return is_integer(kInt32, kSigned16);
    case TypeId::kInteger: return (is_bare && element.physical == kInt32) || is_integer(kInt32, kSigned32);
    case TypeId::kLong: return (is_bare && element.physical == kInt64) || is_integer(kInt64, kSigned64);
    case TypeId::kFloat: return is_bare && element.physical == kFloat;
    case TypeId::kDouble: return is_bare && element.physical == kDouble;
    case TypeId::kDecimal:
      return is_annotated(kDecimalAnnotation, kDecimal) && element.precision == type.precision() &&
             element.scale == type.scale() &&
             (element.physical == kInt32 || element.physical == kInt64 ||
              element.physical == kFixedByteArray);
    case TypeId::kString: return element.physical == kByteArray && is_annotated(kStringAnnotation, kUtf8);
    case TypeId::kBinary: return is_bare && element.physical == kByteArray;
    case TypeId::kDate: return element.physical == kInt32 && is_annotated(kDateAnnotation, kDate);
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz: {
      const bool is_utc = element.annotation == kNone || element.is_utc;
      return element.physical == kInt64 && is_annotated(kTimestampAnnotation, kTimestampMicros) &&
             (element.annotation == kNone || element.unit == kMicros) &&
             is_utc == type.is(TypeId::kTimestamp);
    }
    default: return false;
  }
}

std::optional<ColumnFormat> format_of(const SchemaElement& element) {
  ColumnFormat format;
  format.may_be_null = element.repetition == kOptional;
  switch (element.physical) {
    case kBoolean: format.stored = Stored::kBit; return format;
    case kInt32:
    case kFloat: format.stored = Stored::kFourBytes; return format;
    case kInt64:
    case kDouble: format.stored = Stored::kEightBytes; return format;
    case kByteArray: format.stored = Stored::kText; return format;
    default: break;
  }
  if (element.length < 1 || element.length > kMostDecimalBytes) return std::nullopt;
  format.stored = Stored::kFixedBytes;
  format.fixed_bytes = static_cast<size_t>(element.length);
  return format;
}

// Names that differ in case alone are one to Spark.
bool is_same_but_for_case(std::string_view one, std::string_view other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(),
      [](unsigned char left, unsigned char right) { return std::tolower(left) == std::tolower(right); });
}

// For each column the number of the leaf that has its values; nullopt when there is none, or none alone.
std::optional<std::vector<size_t>> leaves_of(const std::vector<SchemaElement>& schema,
                                             const types::Schema& columns,
                                             std::vector<ColumnFormat>& formats) {
  std::vector<size_t> leaves(columns.size());
  std::vector<int> found(columns.size(), 0);
  formats.resize(columns.size());
  size_t leaf = 0;
  size_t nested = 0;  // elements to come that lie below a column
  for (size_t i = 1; i < schema.size(); ++i) {
    const SchemaElement& element = schema[i];
    if (element.children < 0 || element.children > static_cast<int64_t>(schema.size())) return std::nullopt;
    const bool is_column = nested == 0;
    if (!is_column) --nested;
    nested += static_cast<size_t>(element.children);
    for (size_t k = 0; is_column && k < columns.size(); ++k) {
      if (!is_same_but_for_case(columns[k].name, element.name)) continue;
      const bool is_flat = columns[k].name == element.name && element.children == 0 &&
                           (element.repetition == kRequired || element.repetition == kOptional);
      if (!is_flat || ++found[k] > 1 || !has_type(element, columns[k].type)) return std::nullopt;
      const std::optional<ColumnFormat> format = format_of(element);
      if (!format.has_value()) return std::nullopt;
      leaves[k] = leaf;
      formats[k] = *format;
    }
    if (element.children == 0) ++leaf;
  }
  if (std::find(found.begin(), found.end(), 0) != found.end()) return std::nullopt;
  return leaves;
}

std::optional<ColumnChunk> checked(const Chunk& chunk) {
  const bool is_known = chunk.codec == static_cast<int64_t>(Codec::kNone) ||
                        chunk.codec == static_cast<int64_t>(Codec::kSnappy) ||
                        chunk.codec == static_cast<int64_t>(Codec::kZstd);
  const int64_t begin =
      chunk.dictionary_page > 0 ? std::min(chunk.dictionary_page, chunk.data_page) : chunk.data_page;
  if (!chunk.is_readable || !is_known || begin < 0 || chunk.bytes < 0) return std::nullopt;
  return ColumnChunk{static_cast<Codec>(chunk.codec), static_cast<uint64_t>(begin),
                     static_cast<uint64_t>(chunk.bytes)};
}

}  // namespace

std::optional<Footer> read_footer(std::string_view bytes, const types::Schema& columns) {
  Footer footer;
  std::optional<std::vector<size_t>> leaves;
  bool is_readable = true;
  CompactReader reader(bytes);
  const auto read_row_group = [&] {
    RowGroup group;
    group.columns.resize(columns.size());
    std::vector<bool> is_there(columns.size(), false);
    reader.fields([&](int64_t id, Type type) {
      if (id == 3 && type == Type::kInteger64) {
        group.rows = reader.integer();
        return true;
      }
      if (id != 1 || type != Type::kList) return false;
      size_t leaf = 0;
      reader.elements([&](Type element) {
        const size_t number = leaf++;
        if (std::find(leaves->begin(), leaves->end(), number) == leaves->end()) return reader.skip(element);
        const std::optional<ColumnChunk> chunk = checked(read_chunk(reader));
        if (!chunk.has_value()) is_readable = false;
        for (size_t k = 0; chunk.has_value() && k < columns.size(); ++k) {
          if ((*leaves)[k] != number) continue;
          group.columns[k] = *chunk;
          is_there[k] = true;
        }
      });
      return true;
    });
    is_readable = is_readable && group.rows >= 0 &&
                  std::find(is_there.begin(), is_there.end(), false) == is_there.end();
    footer.row_groups.push_back(std::move(group));
  };
  reader.fields([&](int64_t id, Type type) {
    if (id == 8) is_readable = false;  // encrypted
    if (id == 2 && type == Type::kList) {
      std::vector<SchemaElement> schema;
      reader.elements([&](Type) { schema.push_back(read_element(reader)); });
      leaves = leaves_of(schema, columns, footer.columns);
      return true;
    }
    if (id != 4 || type != Type::kList || !leaves.has_value()) return false;
    reader.elements([&](Type) {
      if (is_readable) {
        read_row_group();
      } else {
        reader.skip(Type::kStruct);
      }
    });
    return true;
  });
  if (!reader.ok() || !is_readable || !leaves.has_value()) return std::nullopt;
  return footer;
}

}  // namespace deuteron::relational::parquet
