#include "functions/date_time_arithmetic.h"

#include <utility>

namespace deuteron::functions {

using types::DataType;
using types::TypeId;

namespace {

constexpr std::string_view kTimestamps = "\"(TIMESTAMP OR TIMESTAMP WITHOUT TIME ZONE)\"";

bool is_date(const DataType& type) { return type.is(TypeId::kDate); }
bool is_text(const DataType& type) { return type.is(TypeId::kString); }
bool is_null(const DataType& type) { return type.is(TypeId::kNull); }
bool is_day_time(const DataType& type) { return type.is(TypeId::kDayTimeInterval); }
bool is_year_month(const DataType& type) { return type.is(TypeId::kYearMonthInterval); }
bool is_calendar(const DataType& type) { return type.is(TypeId::kCalendarInterval); }
bool is_ansi_interval(const DataType& type) { return is_day_time(type) || is_year_month(type); }
bool is_timestamp(const DataType& type) {
  return type.is(TypeId::kTimestamp) || type.is(TypeId::kTimestampNtz);
}
bool is_whole_days(const DataType& type) {
  return is_day_time(type) && type.start_field() == 0 && type.end_field() == 0;
}

// One sum: `base` is what is moved, `amount` by how much.
class Sum {
 public:
  Sum(const Context& context, bool adds, bool swapped)
      : context_(context), adds_(adds), base_(swapped ? 1 : 0), amount_(swapped ? 0 : 1) {}

  // A number of days.
  Result<Call> days() const {
    const std::string_view name = adds_ ? "date_add" : "date_sub";
    const std::string shown = std::string(name) + "(" + text(base_) + ", " + text(amount_) + ")";
    if (!amount().is_integral() || amount().is(TypeId::kLong)) {
      // A string stands for a date here, and a date is no number of days.
      const DataType wrong = is_text(amount()) ? DataType(TypeId::kDate) : amount();
      return wrong_operand(shown, amount_, "int|smallint|tinyint", 1, wrong);
    }
    return call(name, {base(), DataType(TypeId::kInteger)}, base(), shown);
  }

  Result<Call> interval() const {
    if (is_date(base()) && is_whole_days(amount())) {
      const std::string days = "extractansiintervaldays(" + text(amount_) + ")";
      return call(adds_ ? "date_add_interval_days" : "date_sub_interval_days", {base(), amount()}, base(),
                  "date_add(" + text(base_) + ", " + (adds_ ? days : "(- " + days + ")") + ")");
    }
    const std::string shown = text(base_) + (adds_ ? " + " : " - ") + text(amount_);
    const bool keeps_date = is_year_month(amount()) || is_calendar(amount());
    if (is_null(base())) {
      return error(
          "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
          {{"sqlExpr", "\"" + shown + "\""}, {"srcType", "\"TIMESTAMP\""}, {"targetType", "\"VOID\""}});
    }
    if (!is_timestamp(base()) && !is_date(base()) && !is_text(base())) {
      return wrong_operand(shown, base_, kTimestamps, 0, base());
    }
    const DataType moved =
        is_timestamp(base()) || (is_date(base()) && keeps_date) ? base() : DataType(TypeId::kTimestamp);
    const DataType by = is_null(amount()) ? DataType::day_time_interval() : amount();
    return call(adds_ ? "add_interval" : "subtract_interval", {moved, by}, is_text(base()) ? base() : moved,
                shown);
  }

 private:
  const DataType& base() const { return context_.type(base_); }
  const DataType& amount() const { return context_.type(amount_); }
  const std::string& text(size_t index) const { return context_.arguments[index].sql; }

  Result<Call> call(std::string_view name, std::vector<DataType> types, DataType type,
                    std::string shown) const {
    Call call =
        context_.call(name, std::move(types), std::move(type), context_.any_nullable() || is_text(base()));
    if (base_ == 1) call.argument_order = {1, 0};
    call.display = std::move(shown);
    return call;
  }

  Status wrong_operand(const std::string& shown, size_t operand, std::string_view required, size_t place,
                       const DataType& type) const {
    return error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", {{"sqlExpr", "\"" + shown + "\""},
                                                             {"paramIndex", ordinal(place)},
                                                             {"requiredType", required_text(required)},
                                                             {"inputSql", "\"" + text(operand) + "\""},
                                                             {"inputType", quoted_type(type)}});
  }

  const Context& context_;
  const bool adds_;
  const size_t base_;
  const size_t amount_;
};

bool is_span(const DataType& type) { return is_calendar(type) || is_day_time(type); }

// Sums and differences of two intervals of one kind.
std::optional<Result<Call>> interval_sum(const Context& context, bool adds) {
  DataType left = context.type(0), right = context.type(1);
  if (is_null(left) && is_ansi_interval(right)) left = right;
  if (is_null(right) && (is_ansi_interval(left) || (is_calendar(left) && !adds))) right = left;
  if (left.id() != right.id() || !is_any_interval(left)) return std::nullopt;
  const DataType common = is_calendar(left) ? left : *widest_common_type(left, right);
  return context.call(context.function.name, {common, common}, common, context.any_nullable());
}

Result<Call> difference(const Context& context, std::string_view name, DataType operand, DataType type,
                        std::string_view required) {
  bool nullable = context.any_nullable();
  for (size_t i = 0; i < 2; ++i) {
    const DataType& given = context.type(i);
    nullable |= is_text(given);
    const bool fits =
        is_text(given) || is_null(given) || is_date(given) || (is_timestamp(operand) && is_timestamp(given));
    if (!fits) return context.unexpected_type(i, required);
  }
  return context.call(name, {operand, operand}, std::move(type), nullable);
}

// The rows of Spark's own table, in its order.
std::optional<Result<Call>> resolve_difference(const Context& context) {
  const DataType& left = context.type(0);
  const DataType& right = context.type(1);
  const Sum sum(context, false, false);
  if ((is_date(left) || is_timestamp(left)) && is_any_interval(right)) return sum.interval();
  if (auto call = interval_sum(context, false)) return call;
  if (is_span(right)) return sum.interval();
  if (is_timestamp(left) || is_timestamp(right)) {
    const bool zoned = left.is(TypeId::kTimestamp) || right.is(TypeId::kTimestamp);
    return difference(context, "subtract_timestamps",
                      DataType(zoned ? TypeId::kTimestamp : TypeId::kTimestampNtz),
                      DataType::day_time_interval(), kTimestamps);
  }
  if (is_date(right) || (is_date(left) && (is_text(right) || is_null(right)))) {
    return difference(context, "subtract_dates", DataType(TypeId::kDate), DataType::day_time_interval(0, 0),
                      "date");
  }
  if (is_date(left)) return sum.days();
  return std::nullopt;
}

std::optional<Result<Call>> resolve_addition(const Context& context) {
  const DataType& left = context.type(0);
  const DataType& right = context.type(1);
  const Sum sum(context, true, false), swapped(context, true, true);
  const auto moves = [](const DataType& base, const DataType& amount) {
    return (is_date(base) || is_timestamp(base)) && (is_any_interval(amount) || is_null(amount));
  };
  if (moves(left, right)) return sum.interval();
  if (moves(right, left)) return swapped.interval();
  if (auto call = interval_sum(context, true)) return call;
  if (is_span(right)) return sum.interval();
  if (is_span(left)) return swapped.interval();
  if (is_date(left) || (is_text(left) && is_date(right))) return sum.days();
  if (is_date(right)) return swapped.days();
  return std::nullopt;
}

}  // namespace

bool is_date_or_time(const DataType& type) { return is_date(type) || is_timestamp(type); }
bool is_any_interval(const DataType& type) { return is_ansi_interval(type) || is_calendar(type); }

std::optional<Result<Call>> resolve_date_time_sum(const Context& context, std::string_view symbol) {
  return symbol == "+" ? resolve_addition(context) : resolve_difference(context);
}

std::optional<Result<Call>> resolve_date_time_sequence(const Context& context) {
  if (!is_date_or_time(context.type(0)) && !is_date_or_time(context.type(1))) return std::nullopt;
  const auto common = widest_common_type(context.type(0), context.type(1));
  const bool has_step = context.size() == 3;
  if (!common || (has_step && !is_any_interval(context.type(2)))) {
    return context.mismatch(
        "SEQUENCE_WRONG_INPUT_TYPES",
        {{"functionName", "`sequence`"},
         {"startType", "(\"TIMESTAMP\" or \"TIMESTAMP_NTZ\" or \"DATE\")"},
         {"stepType", "(\"INTERVAL\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL DAY TO SECOND\")"},
         {"otherStartType", "\"INTEGRAL\""}});
  }
  if (has_step && is_calendar(context.type(2)))
    return unsupported("sequence with a step of the type interval");
  std::vector<DataType> types = {*common, *common};
  if (has_step) types.push_back(context.type(2));
  const bool nullable = context.any_nullable() || is_text(context.type(0)) || is_text(context.type(1));
  return context.call("date_time_sequence", std::move(types), DataType::array(*common, false), nullable);
}

std::optional<Result<Call>> resolve_interval_scaling(const Context& context, std::string_view symbol) {
  const DataType& left = context.type(0);
  const DataType& right = context.type(1);
  const auto full = [](const DataType& type) {
    return is_day_time(type) ? DataType::day_time_interval() : DataType::year_month_interval();
  };
  const auto number = [](const DataType& type) {
    return is_null(type) || is_text(type) ? DataType(TypeId::kDouble) : type;
  };
  const auto is_factor = [](const DataType& type) {
    return type.is_numeric() || is_null(type) || is_text(type);
  };
  const bool nullable = context.any_nullable() || is_text(left) || is_text(right);
  if (symbol == "*" && is_ansi_interval(right) && is_factor(left)) {
    Call call = context.call("multiply_interval", {right, number(left)}, full(right), nullable);
    call.display = "(" + context.arguments[1].sql + " * " + context.arguments[0].sql + ")";
    call.argument_order = {1, 0};
    return call;
  }
  if (symbol == "*" && is_ansi_interval(left) && is_factor(right)) {
    return context.call("multiply_interval", {left, number(right)}, full(left), nullable);
  }
  if (symbol == "/" && is_ansi_interval(left) && is_factor(right)) {
    return context.call("divide_interval", {left, number(right)}, full(left), nullable);
  }
  if (symbol == "div" && is_ansi_interval(left) && left.id() == right.id()) {
    const DataType common = *widest_common_type(left, right);
    return context.call("div", {common, common}, DataType(TypeId::kLong), true);
  }
  if ((symbol == "*" || symbol == "/") && (is_calendar(left) || is_calendar(right))) {
    return unsupported("multiplication and division of the type interval");
  }
  return std::nullopt;
}

}  // namespace deuteron::functions
