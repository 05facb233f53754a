// The values of one column of a Parquet file, page by page, decoded straight into an Arrow column. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "exchange/column_builder.h"
#include "relational/parquet/footer.h"
#include "relational/parquet/page_buffer.h"
#include "relational/parquet/run_decoder.h"
#include "types/data_type.h"

namespace deuteron::relational::parquet {

// What the columns of a file share; it outlives them.
struct PageSource {
  int file = -1;
  std::string path;
  PageBuffer compressed;
};

class ColumnPages {
 public:
  ColumnPages(PageSource& source, types::TypeId type, const ColumnFormat& format)
      : source_(source), type_(type), format_(format) {}

  // Goes to a row group.
  void begin(const ColumnChunk& chunk);
  // Appends the next rows. FAILED_READ_FILE when the file is not what it says.
  Status read(int64_t rows, exchange::ColumnBuilder& column);

 private:
  struct Header;
  struct Body {
    uint8_t* data = nullptr;
    size_t bytes = 0;
  };

  Status broken(const char* what) const;
  Status read_bytes(uint64_t begin, uint8_t* to, size_t bytes) const;
  Status next_page();
  Result<Header> read_header();
  Result<Body> read_body(const Header& header, PageBuffer& into);
  Status begin_dictionary(const Header& header);
  Status begin_values(const Header& header);
  Status append(int64_t rows, exchange::ColumnBuilder& column);
  Status append_values(int64_t rows, int64_t present, exchange::ColumnBuilder& column);
  template <typename Kept, typename Value>
  Status append_numbers(int64_t rows, int64_t present, exchange::ColumnBuilder& column);
  Status append_booleans(int64_t rows, int64_t present, exchange::ColumnBuilder& column);
  Status append_text(int64_t rows, int64_t present, exchange::ColumnBuilder& column);
  Status next_text(std::string_view& text);
  size_t value_bytes() const;

  PageSource& source_;
  const types::TypeId type_;
  const ColumnFormat format_;
  Codec codec_ = Codec::kNone;
  uint64_t next_ = 0;  // of the chunk, in the file
  uint64_t end_ = 0;

  PageBuffer dictionary_bytes_;
  int64_t dictionary_size_ = 0;
  std::vector<std::string_view> dictionary_texts_;

  PageBuffer page_;
  int64_t rows_left_ = 0;  // of the page
  bool is_coded_ = false;  // as numbers of the dictionary
  RunDecoder levels_;
  RunDecoder codes_;
  const uint8_t* values_ = nullptr;
  const uint8_t* values_end_ = nullptr;
  std::vector<uint32_t> presence_;  // of the rows being read: 1 or 0; only when some are null
  std::vector<uint64_t> validity_;
  std::vector<uint8_t> booleans_;
};

}  // namespace deuteron::relational::parquet
