// JSON in texts. Reading takes the text apart with the kernels of kernels/json_kernels.cc, level by level of
// the type that is asked for; writing puts it together the same way.
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

// ---- reading: `text` is JSON of one value, or null for a JSON null

std::string token(CallWriter& call, const std::string& text, std::string_view kinds) {
  return call.kernel("json_token", {text, quote_text(kinds)});
}

// ["a","b"], the names under which json_fields looks.
std::string names_of(CallWriter& call, const types::Schema& fields) {
  std::string names;
  for (const auto& field : fields)
    names +=
        (names.empty() ? "'[' || " : " || ',' || ") + call.kernel("json_quoted", {quote_text(field.name)});
  return names + " || ']'";
}

Result<std::string> read_value(CallWriter& call, const std::string& text, const DataType& type);

Result<std::string> read_struct(CallWriter& call, const std::string& text, const DataType& type) {
  if (type.fields().empty()) return unsupported("from_json of a struct without fields");
  const std::string fields = call.fresh_name();
  std::string values;
  for (size_t i = 0; i < type.fields().size(); ++i) {
    const auto& field = type.fields()[i];
    ASSIGN_OR_RETURN(
        const std::string value,
        read_value(call, "list_extract(" + fields + ", " + std::to_string(i + 1) + ")", field.type));
    values += (values.empty() ? "" : ", ") + quote_name(field.name) + " := " + value;
  }
  return "list_transform([" + call.kernel("json_fields", {text, names_of(call, type.fields())}) +
         "], lambda " + fields + ": struct_pack(" + values + "))[1]";
}

// The values of a list of JSON texts; null when one of them is no such value.
Result<std::string> read_all(CallWriter& call, const std::string& texts, const DataType& type) {
  const std::string parts = call.fresh_name(), part = call.fresh_name();
  ASSIGN_OR_RETURN(const std::string value, read_value(call, part, type));
  const std::string values = call.bind(
      "list_transform(" + parts + ", lambda " + part + ": " + value + ")", [&](const std::string& all) {
        return "CASE WHEN list_count(" + all + ") = list_count(" + parts + ") THEN " + all + " END";
      });
  return "list_transform([" + texts + "], lambda " + parts + ": " + values + ")[1]";
}

Result<std::string> read_map(CallWriter& call, const std::string& text, const DataType& type) {
  if (!type.key().is(TypeId::kString)) return unsupported("from_json of a map with keys that are no strings");
  ASSIGN_OR_RETURN(const std::string values,
                   read_all(call, call.kernel("json_map_values", {text}), type.value()));
  return call.bind(values, [&](const std::string& all) {
    return "CASE WHEN " + all + " IS NOT NULL THEN " +
           cast_to("map(" + call.kernel("json_map_keys", {text}) + ", " + all + ")", type) + " END";
  });
}

std::string read_floating(CallWriter& call, const std::string& text, const DataType& type) {
  const std::string kernel = type.is(TypeId::kFloat) ? "parse_float" : "parse_double";
  const std::string word = token(call, text, "s");
  return "coalesce(" + call.kernel(kernel, {token(call, text, "ir")}) + ", CASE WHEN " + word +
         " IN ('NaN', 'Infinity', '+Infinity', '-Infinity', '+INF', '-INF') THEN " +
         call.kernel(kernel, {word}) + " END)";
}

Result<std::string> read_value(CallWriter& call, const std::string& text, const DataType& type) {
  switch (type.id()) {
    case TypeId::kNull: return std::string("NULL");
    case TypeId::kBoolean: return cast_to(token(call, text, "b"), type);
    case TypeId::kByte:  // Jackson takes what fits into eight bits, with a sign or without
      return call.bind(call.kernel("parse_short", {token(call, text, "i")}), [&](const std::string& value) {
        return "CASE WHEN " + value + " BETWEEN -128 AND 255 THEN " +
               cast_to("CASE WHEN " + value + " > 127 THEN " + value + " - 256 ELSE " + value + " END",
                       type) +
               " END";
      });
    case TypeId::kShort: return call.kernel("parse_short", {token(call, text, "i")});
    case TypeId::kInteger: return call.kernel("parse_integer", {token(call, text, "i")});
    case TypeId::kLong: return call.kernel("parse_long", {token(call, text, "i")});
    case TypeId::kFloat:
    case TypeId::kDouble: return read_floating(call, text, type);
    case TypeId::kDecimal:
      return write_cast(call, token(call, text, "irs"), DataType(TypeId::kString), type,
                        plan::CastMode::kTry);
    case TypeId::kString: return call.kernel("json_text", {text});
    case TypeId::kBinary: return "TRY(from_base64(" + token(call, text, "s") + "))";
    case TypeId::kDate:
    case TypeId::kTimestampNtz:
      return write_cast(call, token(call, text, "s"), DataType(TypeId::kString), type, plan::CastMode::kTry);
    case TypeId::kTimestamp: {  // a number counts seconds
      ASSIGN_OR_RETURN(
          const std::string time,
          write_cast(call, token(call, text, "s"), DataType(TypeId::kString), type, plan::CastMode::kTry));
      return "coalesce(" + time + ", TRY(make_timestamp(" +
             call.kernel("parse_long", {token(call, text, "i")}) + " * 1000000)))";
    }
    case TypeId::kArray: return read_all(call, call.kernel("json_elements", {text}), type.element());
    case TypeId::kMap: return read_map(call, text, type);
    case TypeId::kStruct: {
      ASSIGN_OR_RETURN(const std::string value, read_struct(call, text, type));
      return "CASE WHEN " + call.kernel("json_object_keys", {text}) + " IS NOT NULL THEN " + value + " END";
    }
    default: return unsupported("from_json of " + type.simple_string());
  }
}

// A text that is no object gives a struct of nulls; an object stands for an array of it alone.
Result<std::string> lower_from_json(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  const DataType& type = call.result();
  if (type.is(TypeId::kStruct)) {
    for (const auto& field : type.fields()) {
      if (field.name == "_corrupt_record") return unsupported("from_json with a column of corrupt records");
    }
    ASSIGN_OR_RETURN(const std::string value, read_struct(call, text, type));
    return "CASE WHEN trim(" + text + ", chr(32) || chr(9) || chr(10) || chr(13)) <> '' THEN " +
           cast_to(value, type) + " END";
  }
  ASSIGN_OR_RETURN(const std::string value, read_value(call, text, type));
  if (!type.is(TypeId::kArray) || !type.element().is(TypeId::kStruct)) return cast_to(value, type);
  ASSIGN_OR_RETURN(const std::string only, read_struct(call, text, type.element()));
  return "CASE WHEN " + call.kernel("json_object_keys", {text}) + " IS NOT NULL THEN " +
         cast_to("[" + only + "]", type) + " ELSE " + cast_to(value, type) + " END";
}

// ---- writing

std::string quoted(CallWriter& call, const std::string& text) { return call.kernel("json_quoted", {text}); }

std::string write_time(CallWriter& call, const std::string& text, const DataType& type) {
  const std::string local = type.is(TypeId::kTimestamp) ? call.to_local(text) : text;
  const std::string clock = "strftime(" + local + ", '\"%Y-%m-%dT%H:%M:%S.%g')";
  if (!type.is(TypeId::kTimestamp)) return clock + " || '\"'";
  if (is_utc(call.options().time_zone)) return clock + " || 'Z\"'";
  const std::string minutes = "datediff('minute', " + text + ", " + local + ")";
  return clock + " || CASE WHEN " + minutes + " = 0 THEN 'Z' ELSE printf('%s%02d:%02d', CASE WHEN " +
         minutes + " < 0 THEN '-' ELSE '+' END, abs(" + minutes + ") // 60, abs(" + minutes +
         ") % 60) END || '\"'";
}

// The name under which a map's value is written.
Result<std::string> write_key(CallWriter& call, const std::string& text, const DataType& type) {
  const bool plain = type.is(TypeId::kNull) || type.is(TypeId::kString) || type.is(TypeId::kBoolean) ||
                     type.is_integral() || type.is(TypeId::kDouble) || type.is(TypeId::kFloat) ||
                     type.is(TypeId::kDecimal);
  if (!plain) return unsupported("to_json of a map with keys of the type " + type.simple_string());
  ASSIGN_OR_RETURN(const std::string key, write_as_text(call, text, type));
  return quoted(call, key);
}

Result<std::string> write_value(CallWriter& call, const std::string& text, const DataType& type) {
  switch (type.id()) {
    case TypeId::kNull: return std::string("CAST(NULL AS VARCHAR)");
    case TypeId::kBoolean:
    case TypeId::kByte:
    case TypeId::kShort:
    case TypeId::kInteger:
    case TypeId::kLong: return write_as_text(call, text, type);
    case TypeId::kDecimal: {
      ASSIGN_OR_RETURN(const std::string plain, write_as_text(call, text, type));
      return type.scale() <= 6 ? plain : call.kernel("json_decimal", {plain});
    }
    case TypeId::kFloat:
    case TypeId::kDouble: {
      ASSIGN_OR_RETURN(const std::string number, write_as_text(call, text, type));
      return "CASE WHEN isfinite(" + text + ") THEN " + number + " ELSE " + quoted(call, number) + " END";
    }
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz: return write_time(call, text, type);
    case TypeId::kBinary: return quoted(call, "to_base64(" + text + ")");
    case TypeId::kString:
    case TypeId::kDate:
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: {
      ASSIGN_OR_RETURN(const std::string shown, write_as_text(call, text, type));
      return quoted(call, shown);
    }
    case TypeId::kArray: {
      const std::string name = call.fresh_name();
      ASSIGN_OR_RETURN(const std::string element, write_value(call, name, type.element()));
      return "'[' || coalesce(array_to_string(list_transform(" + text + ", lambda " + name + ": coalesce(" +
             element + ", 'null')), ','), CASE WHEN " + text + " IS NOT NULL THEN '' END) || ']'";
    }
    case TypeId::kMap: {
      const std::string name = call.fresh_name();
      ASSIGN_OR_RETURN(const std::string key, write_key(call, name + ".key", type.key()));
      ASSIGN_OR_RETURN(const std::string value, write_value(call, name + ".value", type.value()));
      return "'{' || coalesce(array_to_string(list_transform(map_entries(" + text + "), lambda " + name +
             ": " + key + " || ':' || coalesce(" + value + ", 'null')), ','), CASE WHEN " + text +
             " IS NOT NULL THEN '' END) || '}'";
    }
    case TypeId::kStruct: {  // fields that are null are left out
      if (type.fields().empty()) return "CASE WHEN " + text + " IS NOT NULL THEN '{}' END";
      std::string fields;
      for (const auto& field : type.fields()) {
        ASSIGN_OR_RETURN(
            const std::string value,
            write_value(call, "struct_extract(" + text + ", " + quote_text(field.name) + ")", field.type));
        fields += ", " + quoted(call, quote_text(field.name)) + " || ':' || " + value;
      }
      return "CASE WHEN " + text + " IS NOT NULL THEN '{' || concat_ws(','" + fields + ") || '}' END";
    }
    case TypeId::kCalendarInterval: break;
  }
  return unsupported("to_json of " + type.simple_string());
}

Result<std::string> lower_to_json(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  return write_value(call, value, call.type(0));
}

const CallRule kRules[] = {
    {.function = "to_json", .lower = lower_to_json},
    {.function = "from_json", .lower = lower_from_json},
    {.function = "get_json_object", .text = "json_object_at({0}, {1})", .kernel = "json_object_at"},
    {.function = "json_array_length", .text = "json_length({0})", .kernel = "json_length"},
    {.function = "json_object_keys", .text = "json_object_keys({0})", .kernel = "json_object_keys"},
};

}  // namespace

RuleTable json_rules() { return {std::begin(kRules), std::end(kRules)}; }

Result<std::string> json_tuple(CallWriter& call, const types::Schema& fields) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  types::Schema wanted;
  for (size_t i = 1; i < call.size(); ++i) {
    const auto name = call.literal_text(i);
    if (!name) return unsupported("json_tuple with a name that is not constant");
    wanted.push_back({*name, {}, true, ""});
  }
  return call.bind(
      call.kernel("json_fields", {text, names_of(call, wanted)}), [&](const std::string& values) {
        std::string row;
        for (size_t i = 0; i < fields.size(); ++i) {
          row += (i == 0 ? "" : ", ") + quote_name(fields[i].name) + " := " +
                 call.kernel("json_text", {"list_extract(" + values + ", " + std::to_string(i + 1) + ")"});
        }
        return "[struct_pack(" + row + ")]";
      });
}

}  // namespace deuteron::relational
