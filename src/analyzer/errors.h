// Spark's analysis errors, with Spark's parameters. Every function gives a failed Status; `origin` may be
// null.
#pragma once

#include <string>
#include <vector>

#include "plan/resolved.h"

namespace deuteron::analyzer {

// `a`.`b`, as Spark quotes names in error parameters.
std::string quoted_name(const plan::Names& parts);
std::string quoted_name(const std::string& name);
// a.b, with backquotes only around parts that need them.
std::string plain_name(const plan::Names& parts);
// "INT", with the double quotes.
std::string quoted_type(const types::DataType& type);
// "(a + 1)", with the double quotes.
std::string quoted_expression(const std::string& pretty);

// Adds the place to an error that has none.
Status at(Status status, const plan::Origin& origin);

Status unresolved_column(const plan::Names& name,
                         const std::vector<const plan::resolved::Columns*>& candidates,
                         const plan::Origin& origin);
Status unresolved_field(const std::string& field, const types::Schema& fields, const plan::Origin& origin);
Status ambiguous_reference(const plan::Names& name, const plan::resolved::Columns& candidates,
                           const plan::Origin& origin);
Status unresolved_routine(const plan::Names& name, const plan::Origin& origin);
Status table_not_found(const plan::Names& name, const plan::Origin& origin);

// Names by similarity to `wanted`, as Spark proposes them: at most five, quoted, joined by ", ".
std::string proposal(const plan::Names& wanted, std::vector<plan::Names> candidates);

}  // namespace deuteron::analyzer
