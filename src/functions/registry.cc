#include "functions/registry.h"

#include <algorithm>
#include <map>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

struct Entry {
  const Function* function;
  bool shown_as_canonical;
};

std::map<std::string, Entry, std::less<>> make_registry() {
  std::map<std::string, Entry, std::less<>> registry;
  for (const Family& family : {arithmetic_family(), mathematics_family(), comparison_family(),
                               logical_family(), conditional_family(), string_family(), date_time_family(),
                               interval_family(), aggregate_family(), window_family(), collection_family(),
                               lambda_family(), generator_family(), json_family(), miscellaneous_family()}) {
    for (const Function* function = family.begin; function != family.end; ++function) {
      registry.emplace(lower_case(function->name), Entry{function, true});
      for (std::string_view rest = function->aliases; !rest.empty();) {
        std::string_view alias = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), alias.size() + 1));
        const bool canonical = alias.front() == ':';
        if (canonical) alias.remove_prefix(1);
        registry.emplace(lower_case(alias), Entry{function, canonical});
      }
    }
  }
  return registry;
}

const std::map<std::string, Entry, std::less<>>& registry() {
  static const auto* const kRegistry = new auto(make_registry());
  return *kRegistry;
}

const Entry* find_entry(std::string_view name) {
  const auto found = registry().find(lower_case(name));
  return found == registry().end() ? nullptr : &found->second;
}

std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts)
    joined += (joined.empty() && &text == &texts.front() ? "" : ", ") + text;
  return joined;
}

// `defaults` are the texts of the last optional arguments, shown when these were not given.
void append_defaults(std::string_view defaults, std::vector<std::string>& arguments) {
  if (defaults.empty()) return;
  const size_t full = static_cast<size_t>(defaults.front() - '0');
  std::vector<std::string> texts;
  for (std::string_view rest = defaults.substr(2);;) {
    const size_t bar = rest.find('|');
    texts.emplace_back(rest.substr(0, bar));
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 1);
  }
  while (arguments.size() < full && full - arguments.size() <= texts.size()) {
    arguments.push_back(texts[texts.size() - (full - arguments.size())]);
  }
}

std::string fill(std::string_view pattern, const std::vector<std::string>& arguments, bool is_distinct) {
  if (const size_t more = pattern.find(';'); more != std::string_view::npos) {
    pattern = arguments.size() == 1 ? pattern.substr(0, more) : pattern.substr(more + 1);
  }
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{' && i + 2 < pattern.size() && pattern[i + 2] == '}') {
      const char place = pattern[i + 1];
      if (place == '+')
        text += join({arguments.begin() + std::min<size_t>(1, arguments.size()), arguments.end()});
      else if (place == '*')
        text += (is_distinct ? "DISTINCT " : "") + join(arguments);
      else if (const size_t index = static_cast<size_t>(place - '0'); index < arguments.size())
        text += arguments[index];
      i += 2;
    } else {
      text += pattern[i];
    }
  }
  return text;
}

}  // namespace

const Function* find(std::string_view name) {
  const Entry* entry = find_entry(name);
  return entry == nullptr ? nullptr : entry->function;
}

std::string_view name_of(const Function& function) { return function.name; }
Kind kind_of(const Function& function) { return function.kind; }
bool is_deterministic(const Function& function) { return function.deterministic; }
bool takes_lambda(const Function& function) { return function.lambda != nullptr; }
bool needs_order(const Function& function) { return function.needs_order; }
Orderings orderings_of(const Function& function) { return function.orderings; }

Result<Call> resolve(const Function& function, const std::vector<Argument>& arguments,
                     const ResolveOptions& options) {
  const Context context(function, arguments, options);
  return function.resolver != nullptr ? function.resolver(context) : resolve_by_signature(context);
}

Result<LambdaSignature> lambda_signature(const Function& function, const std::vector<Argument>& arguments,
                                         int index) {
  if (function.lambda == nullptr) return LambdaSignature{};
  return function.lambda(arguments, index);
}

bool shows_binary_otherwise(const Function& function) { return !function.binary_defaults.empty(); }

std::string display_name(const Function& function, std::string_view called_as,
                         const std::vector<std::string>& arguments, bool is_distinct, bool first_is_binary) {
  std::vector<std::string> shown = arguments;
  append_defaults(
      first_is_binary && shows_binary_otherwise(function) ? function.binary_defaults : function.defaults,
      shown);
  if (shown.size() > function.shown_arguments) shown.resize(function.shown_arguments);
  const Entry* entry = called_as.empty() ? nullptr : find_entry(called_as);
  const bool canonical = entry == nullptr || entry->function != &function || entry->shown_as_canonical;
  if (function.shown != nullptr) return function.shown(canonical ? function.name : called_as, shown);
  if (canonical && !function.display.empty()) return fill(function.display, shown, is_distinct);
  const std::string name = canonical ? std::string(function.name) : lower_case(called_as);
  return name + "(" + (is_distinct ? "DISTINCT " : "") + join(shown) + ")";
}

std::vector<std::string_view> registered_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, entry] : registry()) names.push_back(name);
  return names;
}

}  // namespace deuteron::functions
