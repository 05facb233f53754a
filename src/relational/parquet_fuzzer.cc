// Arbitrary bytes as a Parquet file: left to DuckDB, an error, or rows, never a crash.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "relational/plain_file.h"

namespace {

constexpr int64_t kMostRows = 1 << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using deuteron::types::DataType;
  using deuteron::types::TypeId;
  const deuteron::FileDescriptor memory(memfd_create("fuzzer", MFD_CLOEXEC));
  if (write(memory.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  const std::string path = "/proc/self/fd/" + std::to_string(memory.get());
  const deuteron::types::StructField fields[] = {{"i", DataType(TypeId::kInteger), true, ""},
                                                 {"d", DataType(TypeId::kDouble), true, ""},
                                                 {"b", DataType(TypeId::kBoolean), true, ""},
                                                 {"n", DataType::decimal(30, 2), true, ""},
                                                 {"s", DataType(TypeId::kString), true, ""}};
  for (const deuteron::types::StructField& field : fields) {
    const auto file = deuteron::relational::PlainFile::open({path, 0, -1}, {field});
    if (file == nullptr) continue;
    std::vector<deuteron::exchange::ColumnBuilder> columns;
    columns.emplace_back(field.type);
    while (const int64_t rows = file->room()) {
      if (columns[0].length > kMostRows || !file->read(std::min<int64_t>(rows, 1000), columns).ok()) break;
    }
  }
  return 0;
}
