// Reads what a Python worker answers to the analyzer, a text a row: the parts of the answer in their order.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace deuteron::analyzer {

// Beyond the end there are empty texts.
class AnswerReader {
 public:
  explicit AnswerReader(std::vector<std::optional<std::string>> texts) : texts_(std::move(texts)) {}
  std::string text() { return next_ < texts_.size() ? texts_[next_++].value_or("") : ""; }
  bool flag() { return text() == "true"; }
  size_t count() { return std::min<size_t>(std::strtoul(text().c_str(), nullptr, 10), texts_.size()); }

 private:
  std::vector<std::optional<std::string>> texts_;
  size_t next_ = 0;
};

}  // namespace deuteron::analyzer
