// For fuzzers: changes a plan at random so that it stays a message, which bytes changed at random hardly ever
// do. Works on protobuf's text form, in which seeds and findings can be read.
#pragma once

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "spark/connect/base.pb.h"

namespace deuteron::connect::decode {

class PlanMutator {
 public:
  explicit PlanMutator(unsigned seed) : random_(seed) {}

  // False when `text` is no plan.
  static bool parse(std::string_view text, spark::connect::Plan& plan) {
    class Silent : public google::protobuf::io::ErrorCollector {
      void AddError(int, int, const std::string&) override {}
    } silent;
    google::protobuf::TextFormat::Parser parser;
    parser.RecordErrorsTo(&silent);
    parser.SetRecursionLimit(5'000);  // beyond the decoder's own bound
    return parser.ParseFromString(std::string(text), &plan);
  }

  // The new text replaces the old one in `data`; returns its size, the old one when the new does not fit.
  size_t mutate(char* data, size_t size, size_t most) {
    spark::connect::Plan plan;
    if (!parse({data, size}, plan)) plan.Clear();
    for (unsigned changes = 1 + below(4); changes > 0; --changes) change(plan);
    std::string text;
    google::protobuf::TextFormat::PrintToString(plan, &text);
    if (text.size() > most) return size;
    std::memcpy(data, text.data(), text.size());
    return text.size();
  }

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random_); }
  template <typename Items>
  auto& any_of(Items& items) {
    return items[below(static_cast<unsigned>(std::size(items)))];
  }

  static void collect(Message& message, std::vector<Message*>& found) {
    found.push_back(&message);
    std::vector<const Field*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const Field* field : fields) {
      if (field->cpp_type() != Field::CPPTYPE_MESSAGE) continue;
      const auto* reflection = message.GetReflection();
      if (!field->is_repeated()) {
        collect(*reflection->MutableMessage(&message, field), found);
        continue;
      }
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
        collect(*reflection->MutableRepeatedMessage(&message, field, i), found);
      }
    }
  }

  void change(Message& plan) {
    std::vector<Message*> messages;
    collect(plan, messages);
    Message& target = *any_of(messages);
    switch (below(4)) {
      case 0: remove_something(target); break;
      case 1: graft(target, messages); break;
      default: set_something(target, messages);
    }
  }

  void remove_something(Message& target) {
    std::vector<const Field*> fields;
    target.GetReflection()->ListFields(target, &fields);
    if (fields.empty()) return;
    const Field* field = any_of(fields);
    if (field->is_repeated() && below(3) > 0) {
      target.GetReflection()->RemoveLast(&target, field);
    } else {
      target.GetReflection()->ClearField(&target, field);
    }
  }

  // Another message of the same type takes the target's place: also one that contains it, so that plans grow
  // deep.
  void graft(Message& target, const std::vector<Message*>& messages) {
    if (const auto source = copy_of_any(*target.GetDescriptor(), messages)) target.CopyFrom(*source);
  }

  // A copy, because a change of the target may end the life of others: they may lie within it.
  std::unique_ptr<Message> copy_of_any(const google::protobuf::Descriptor& wanted,
                                       const std::vector<Message*>& messages) {
    std::vector<const Message*> fitting;
    for (const Message* message : messages) {
      if (message->GetDescriptor() == &wanted) fitting.push_back(message);
    }
    if (fitting.empty()) return nullptr;
    const Message& chosen = *any_of(fitting);
    std::unique_ptr<Message> copy(chosen.New());
    copy->CopyFrom(chosen);
    return copy;
  }

  void set_something(Message& target, const std::vector<Message*>& messages) {
    const auto* descriptor = target.GetDescriptor();
    if (descriptor->field_count() == 0) return;
    const Field* field =
        descriptor->field(static_cast<int>(below(static_cast<unsigned>(descriptor->field_count()))));
    const auto* reflection = target.GetReflection();
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      const auto source = below(4) == 0 ? nullptr : copy_of_any(*field->message_type(), messages);
      Message* part = field->is_repeated() ? reflection->AddMessage(&target, field)
                                           : reflection->MutableMessage(&target, field);
      if (source != nullptr) part->CopyFrom(*source);
      return;
    }
    const bool add = field->is_repeated();
    switch (field->cpp_type()) {
      case Field::CPPTYPE_INT32:
        set(add, &Reflection::AddInt32, &Reflection::SetInt32, target, field, static_cast<int32_t>(number()));
        break;
      case Field::CPPTYPE_INT64:
        set(add, &Reflection::AddInt64, &Reflection::SetInt64, target, field, number());
        break;
      case Field::CPPTYPE_DOUBLE:
        set(add, &Reflection::AddDouble, &Reflection::SetDouble, target, field, real());
        break;
      case Field::CPPTYPE_FLOAT:
        set(add, &Reflection::AddFloat, &Reflection::SetFloat, target, field, static_cast<float>(real()));
        break;
      case Field::CPPTYPE_BOOL:
        set(add, &Reflection::AddBool, &Reflection::SetBool, target, field, below(2) == 1);
        break;
      case Field::CPPTYPE_ENUM:
        set(add, &Reflection::AddEnumValue, &Reflection::SetEnumValue, target, field,
            static_cast<int>(below(12)));
        break;
      case Field::CPPTYPE_STRING:
        set(add, &Reflection::AddString, &Reflection::SetString, target, field, text());
        break;
      default: break;
    }
  }

  using Reflection = google::protobuf::Reflection;
  template <typename Value>
  static void set(bool add, void (Reflection::*add_value)(Message*, const Field*, Value) const,
                  void (Reflection::*set_value)(Message*, const Field*, Value) const, Message& target,
                  const Field* field, Value value) {
    (target.GetReflection()->*(add ? add_value : set_value))(&target, field, std::move(value));
  }

  int64_t number() {
    static constexpr int64_t kNumbers[] = {0,   1,     -1,        2,         7,         100,      127,
                                           128, 32768, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    return below(4) == 0 ? static_cast<int64_t>(random_()) : any_of(kNumbers);
  }

  double real() {
    static constexpr double kNumbers[] = {0.0, -0.0, 0.5, 1.0, 1e300, -1e300, 1e-300, HUGE_VAL};
    return any_of(kNumbers);
  }

  std::string text() {
    static constexpr const char* kTexts[] = {"",
                                             "a",
                                             "b",
                                             "x",
                                             "p",
                                             "s",
                                             "d",
                                             "i",
                                             "n",
                                             "l",
                                             "m",
                                             "r",
                                             "r.a",
                                             "y",
                                             "o",
                                             "t",
                                             "t.a",
                                             "`a`",
                                             "*",
                                             "t.*",
                                             "int",
                                             "decimal(38,10)",
                                             "array<int>",
                                             "a int, s string",
                                             "struct<a:int>",
                                             "1",
                                             "-1.5",
                                             "1E+3",
                                             "x + 1",
                                             "select * from t",
                                             "select a, count(*) from t group by a",
                                             "explode(l)",
                                             "2020-01-01",
                                             "+",
                                             "-",
                                             "*",
                                             "/",
                                             "==",
                                             "and",
                                             "not",
                                             "in",
                                             "when",
                                             "count",
                                             "sum",
                                             "avg",
                                             "min",
                                             "max",
                                             "explode",
                                             "posexplode",
                                             "inline",
                                             "struct",
                                             "array",
                                             "map",
                                             "transform",
                                             "filter",
                                             "aggregate",
                                             "coalesce",
                                             "if",
                                             "concat",
                                             "substring",
                                             "to_date",
                                             "date_add",
                                             "row_number",
                                             "lag",
                                             "rank",
                                             "ntile",
                                             "range",
                                             "mean",
                                             "50%"};
    std::string chosen = any_of(kTexts);
    return below(6) == 0 ? chosen + any_of(kTexts) : chosen;
  }

  std::minstd_rand random_;
};

}  // namespace deuteron::connect::decode
