// Making intervals. Their arithmetic is in arithmetic.cc, their parts in date_time.cc.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

Result<Call> resolve_day_time(const Context& context) {
  if (context.size() > 4) return context.wrong_number("[0, 1, 2, 3, 4]");
  std::vector<DataType> types;
  for (size_t i = 0; i < context.size(); ++i) {
    if (i < 3) {
      ASSIGN_OR_RETURN(DataType type, context.coerce(i, "int"));
      types.push_back(type);
    } else {
      types.push_back(DataType::decimal(18, 6));
    }
  }
  return context.call("make_dt_interval", std::move(types), DataType::day_time_interval(),
                      context.any_nullable());
}

Result<Call> resolve_year_month(const Context& context) {
  if (context.size() > 2) return context.wrong_number("[0, 1, 2]");
  std::vector<DataType> types;
  for (size_t i = 0; i < context.size(); ++i) {
    ASSIGN_OR_RETURN(DataType type, context.coerce(i, "int"));
    types.push_back(type);
  }
  return context.call("make_ym_interval", std::move(types), DataType::year_month_interval(),
                      context.any_nullable());
}

Result<Call> resolve_calendar(const Context& context) {
  if (context.size() > 7) return context.wrong_number("[0, 1, 2, 3, 4, 5, 6, 7]");
  std::vector<DataType> types;
  bool nullable = context.any_nullable() || context.function.name == "try_make_interval";
  for (size_t i = 0; i < context.size(); ++i) {
    DataType type = DataType::decimal(18, 6);
    if (i < 6) {
      ASSIGN_OR_RETURN(type, context.coerce(i, "int"));
    }
    nullable |= cast_may_give_null(context.type(i), type, plan::CastMode::kDefault);
    types.push_back(std::move(type));
  }
  return context.call(context.function.name, std::move(types), DataType(TypeId::kCalendarInterval), nullable);
}

const Function kIntervals[] = {
    {.name = "make_interval", .defaults = "7:0|0|0|0|0|0|0.000000", .resolver = resolve_calendar},
    {.name = "try_make_interval", .defaults = "7:0|0|0|0|0|0|0.000000", .resolver = resolve_calendar},
    {.name = "make_dt_interval", .defaults = "4:0|0|0|0.000000", .resolver = resolve_day_time},
    {.name = "make_ym_interval", .defaults = "2:0|0", .resolver = resolve_year_month},
};

}  // namespace

DEUTERON_FAMILY(interval, kIntervals)

}  // namespace deuteron::functions
