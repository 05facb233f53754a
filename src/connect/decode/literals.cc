#include <algorithm>

#include "connect/decode/decoder.h"

namespace deuteron::connect::decode {

using types::DataType;
using types::Int128;
using types::TypedValue;
using types::TypeId;
using types::Value;
using Literal = protocol::Expression::Literal;

namespace {

constexpr int kMaximumPrecision = 38;

// Digits of a decimal's text: unscaled value with its scale, which may be negative ("1E+3").
struct DecimalText {
  Int128 unscaled = 0;
  int digits = 0;  // significant ones
  int64_t scale = 0;
};

bool parse_exponent(const std::string& text, size_t position, int64_t& exponent) {
  bool negative = false;
  if (position < text.size() && (text[position] == '+' || text[position] == '-'))
    negative = text[position++] == '-';
  if (position >= text.size() || text.size() - position > 6) return false;
  for (; position < text.size(); ++position) {
    if (text[position] < '0' || text[position] > '9') return false;
    exponent = exponent * 10 + (text[position] - '0');
  }
  if (negative) exponent = -exponent;
  return true;
}

bool parse_decimal(const std::string& text, DecimalText& decimal) {
  size_t position = 0;
  bool negative = false;
  bool after_point = false;
  bool any_digit = false;
  if (position < text.size() && (text[position] == '+' || text[position] == '-'))
    negative = text[position++] == '-';
  for (; position < text.size(); ++position) {
    const char c = text[position];
    if (c == '.' && !after_point) {
      after_point = true;
    } else if (c >= '0' && c <= '9') {
      any_digit = true;
      if (decimal.digits == kMaximumPrecision) return false;
      decimal.unscaled = decimal.unscaled * 10 + (c - '0');
      if (decimal.unscaled != 0) ++decimal.digits;
      if (after_point) ++decimal.scale;
    } else {
      break;
    }
  }
  if (negative) decimal.unscaled = -decimal.unscaled;
  if (!any_digit) return false;
  if (position == text.size()) return true;
  int64_t exponent = 0;
  if ((text[position] != 'e' && text[position] != 'E') || !parse_exponent(text, position + 1, exponent))
    return false;
  decimal.scale -= exponent;
  return true;
}

// Appends zeros; false when the number gets too long.
bool append_zeros(DecimalText& decimal, int64_t zeros) {
  if (decimal.unscaled != 0 && decimal.digits + zeros > kMaximumPrecision) return false;
  decimal.scale += zeros;
  if (decimal.unscaled == 0) return true;
  decimal.digits += static_cast<int>(zeros);
  for (; zeros > 0; --zeros) decimal.unscaled *= 10;
  return true;
}

// The type of an array's elements that is not declared: that of the first one that has a type.
DataType common_type(const std::vector<TypedValue>& values) {
  for (const TypedValue& value : values) {
    if (!value.type.is(TypeId::kNull)) return value.type;
  }
  return DataType();
}

bool conform_all(std::vector<Value>& values, const DataType& from, const DataType& to);

// Brings a part of an array, map or struct to the type that is declared for it, which a client may choose
// freely. Only the scale of a decimal may differ, and only become larger.
bool conform(Value& value, const DataType& from, const DataType& to) {
  if (value.is_null()) return true;
  if (from.id() != to.id()) return false;
  switch (to.id()) {
    case TypeId::kDecimal: {
      auto& unscaled = std::get<Int128>(value.data);
      if (from.precision() - from.scale() > to.precision() - to.scale() || from.scale() > to.scale())
        return false;
      for (int scale = from.scale(); scale < to.scale(); ++scale) unscaled *= 10;
      return true;
    }
    case TypeId::kArray:
      return conform_all(std::get<std::vector<Value>>(value.data), from.element(), to.element());
    case TypeId::kMap: {
      auto& entries = std::get<types::MapEntries>(value.data);
      return conform_all(entries.keys, from.key(), to.key()) &&
             conform_all(entries.values, from.value(), to.value());
    }
    case TypeId::kStruct: {
      auto& values = std::get<std::vector<Value>>(value.data);
      if (from.fields().size() != to.fields().size()) return false;
      for (size_t i = 0; i < values.size(); ++i) {
        if (!conform(values[i], from.fields()[i].type, to.fields()[i].type)) return false;
      }
      return true;
    }
    default: return true;
  }
}

bool conform_all(std::vector<Value>& values, const DataType& from, const DataType& to) {
  for (Value& value : values) {
    if (!conform(value, from, to)) return false;
  }
  return true;
}

}  // namespace

// The declared precision and scale are lower bounds: the client declares (10, 0) for any Decimal it infers.
TypedValue Decoder::decimal_literal(const Literal::Decimal& message) {
  DecimalText decimal;
  const bool well_formed = parse_decimal(message.value(), decimal) && decimal.scale <= kMaximumPrecision &&
                           (decimal.scale >= 0 || append_zeros(decimal, -decimal.scale));
  if (!well_formed) {
    invalid("The decimal literal " + message.value() + " is malformed or too large.");
    return {};
  }
  int64_t precision = std::max<int64_t>({decimal.digits, decimal.scale, 1});
  int64_t scale = decimal.scale;
  if (message.has_precision()) precision = std::max<int64_t>(precision, message.precision());
  if (message.has_scale()) scale = std::max<int64_t>(scale, message.scale());
  precision = std::max(precision, scale);
  if (precision > kMaximumPrecision || !append_zeros(decimal, scale - decimal.scale)) {
    invalid("The decimal literal " + message.value() + " does not fit its type.");
    return {};
  }
  return {DataType::decimal(static_cast<int>(precision), static_cast<int>(scale)), Value(decimal.unscaled)};
}

std::vector<TypedValue> Decoder::literals(const google::protobuf::RepeatedPtrField<Literal>& messages) {
  std::vector<TypedValue> decoded;
  decoded.reserve(static_cast<size_t>(messages.size()));
  for (const Literal& message : messages) decoded.push_back(literal(message));
  return decoded;
}

Value Decoder::conformed(TypedValue part, const DataType& type) {
  if (!conform(part.value, part.type, type)) {
    invalid("A literal of type " + part.type.simple_string() + " where " + type.simple_string() +
            " is declared.");
  }
  return std::move(part.value);
}

std::vector<Value> Decoder::conformed(std::vector<TypedValue> parts, const DataType& type) {
  std::vector<Value> values;
  values.reserve(parts.size());
  for (TypedValue& part : parts) values.push_back(conformed(std::move(part), type));
  return values;
}

// The type stands in the literal's data_type (4.2), in the older field of the array itself, or follows from
// the elements.
TypedValue Decoder::array_literal(const Literal& message) {
  const auto& array = message.array();
  std::vector<TypedValue> elements = literals(array.elements());
  if (message.has_data_type()) return typed_array(std::move(elements), type(message.data_type()));
  DataType declared =
      DataType::array(array.has_element_type() ? type(array.element_type()) : common_type(elements));
  return typed_array(std::move(elements), std::move(declared));
}

TypedValue Decoder::typed_array(std::vector<TypedValue> elements, DataType declared) {
  if (!declared.is(TypeId::kArray)) {
    invalid("An array literal of type " + declared.simple_string() + ".");
    return {};
  }
  std::vector<Value> values = conformed(std::move(elements), declared.element());
  return {std::move(declared), Value(std::move(values))};
}

TypedValue Decoder::specialized_array_literal(const Literal& message) {
  const auto& array = message.specialized_array();
  std::vector<TypedValue> elements;
  TypeId element = TypeId::kNull;
  const auto add = [&](TypeId id, const auto& items, auto convert) {
    element = id;
    for (const auto& item : items) elements.push_back({DataType(id), Value(convert(item))});
  };
  const auto to_integer = [](auto item) { return static_cast<int64_t>(item); };
  const auto to_real = [](auto item) { return static_cast<double>(item); };
  switch (array.value_type_case()) {
    case Literal::SpecializedArray::kBools:
      add(TypeId::kBoolean, array.bools().values(), [](bool item) { return item; });
      break;
    case Literal::SpecializedArray::kInts: add(TypeId::kInteger, array.ints().values(), to_integer); break;
    case Literal::SpecializedArray::kLongs: add(TypeId::kLong, array.longs().values(), to_integer); break;
    case Literal::SpecializedArray::kFloats: add(TypeId::kFloat, array.floats().values(), to_real); break;
    case Literal::SpecializedArray::kDoubles: add(TypeId::kDouble, array.doubles().values(), to_real); break;
    case Literal::SpecializedArray::kStrings:
      add(TypeId::kString, array.strings().values(), [](const std::string& item) { return item; });
      break;
    case Literal::SpecializedArray::VALUE_TYPE_NOT_SET:
      invalid("A specialized array literal without values.");
      break;
  }
  return typed_array(std::move(elements), message.has_data_type()
                                              ? type(message.data_type())
                                              : DataType::array(DataType(element), false));
}

TypedValue Decoder::map_literal(const Literal& message) {
  const auto& map = message.map();
  if (map.keys_size() != map.values_size()) invalid("A map literal with more keys than values.");
  std::vector<TypedValue> keys = literals(map.keys());
  std::vector<TypedValue> values = literals(map.values());
  DataType declared =
      message.has_data_type()
          ? type(message.data_type())
          : DataType::map(map.has_key_type() ? type(map.key_type()) : common_type(keys),
                          map.has_value_type() ? type(map.value_type()) : common_type(values));
  if (!declared.is(TypeId::kMap)) {
    invalid("A map literal of type " + declared.simple_string() + ".");
    return {};
  }
  types::MapEntries entries{conformed(std::move(keys), declared.key()),
                            conformed(std::move(values), declared.value())};
  return {std::move(declared), Value(std::move(entries))};
}

TypedValue Decoder::struct_literal(const Literal& message) {
  std::vector<TypedValue> parts = literals(message.struct_().elements());
  DataType declared = type(message.has_data_type() ? message.data_type() : message.struct_().struct_type());
  if (!declared.is(TypeId::kStruct) || declared.fields().size() != parts.size()) {
    invalid("A struct literal whose type does not match its values.");
    return {};
  }
  std::vector<Value> values;
  for (size_t i = 0; i < parts.size(); ++i) {
    values.push_back(conformed(std::move(parts[i]), declared.fields()[i].type));
  }
  return {std::move(declared), Value(std::move(values))};
}

TypedValue Decoder::literal(const Literal& message) {
  const Level level(*this);
  if (level.too_deep()) return {};
  const auto integer = [](DataType type, int64_t value) { return TypedValue{std::move(type), Value(value)}; };
  const auto type_or = [&](const DataType& otherwise) {
    DataType declared = message.has_data_type() ? type(message.data_type()) : otherwise;
    if (declared.id() != otherwise.id()) invalid("A literal of type " + declared.simple_string() + ".");
    return declared;
  };
  switch (message.literal_type_case()) {
    case Literal::kNull:
      return {message.has_data_type()                                          ? type(message.data_type())
              : message.null().kind_case() == protocol::DataType::KIND_NOT_SET ? DataType()
                                                                               : type(message.null()),
              Value()};
    case Literal::kBinary: return {DataType(TypeId::kBinary), Value(std::string(message.binary()))};
    case Literal::kBoolean: return {DataType(TypeId::kBoolean), Value(message.boolean())};
    case Literal::kByte: return integer(DataType(TypeId::kByte), message.byte());
    case Literal::kShort: return integer(DataType(TypeId::kShort), message.short_());
    case Literal::kInteger: return integer(DataType(TypeId::kInteger), message.integer());
    case Literal::kLong: return integer(DataType(TypeId::kLong), message.long_());
    case Literal::kFloat: return {DataType(TypeId::kFloat), Value(static_cast<double>(message.float_()))};
    case Literal::kDouble: return {DataType(TypeId::kDouble), Value(static_cast<double>(message.double_()))};
    case Literal::kDecimal: return decimal_literal(message.decimal());
    case Literal::kString: return {DataType(TypeId::kString), Value(std::string(message.string()))};
    case Literal::kDate: return integer(DataType(TypeId::kDate), message.date());
    case Literal::kTimestamp: return integer(DataType(TypeId::kTimestamp), message.timestamp());
    case Literal::kTimestampNtz: return integer(DataType(TypeId::kTimestampNtz), message.timestamp_ntz());
    case Literal::kCalendarInterval: {
      const auto& interval = message.calendar_interval();
      return {DataType(TypeId::kCalendarInterval),
              Value(types::CalendarInterval{interval.months(), interval.days(), interval.microseconds()})};
    }
    case Literal::kYearMonthInterval:
      return integer(type_or(DataType::year_month_interval()), message.year_month_interval());
    case Literal::kDayTimeInterval:
      return integer(type_or(DataType::day_time_interval()), message.day_time_interval());
    case Literal::kArray: return array_literal(message);
    case Literal::kMap: return map_literal(message);
    case Literal::kStruct: return struct_literal(message);
    case Literal::kSpecializedArray: return specialized_array_literal(message);
    case Literal::kTime: fail(unsupported("data type time")); return {};
    case Literal::LITERAL_TYPE_NOT_SET: break;
  }
  invalid("A literal without a value.");
  return {};
}

}  // namespace deuteron::connect::decode
