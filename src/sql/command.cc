// Statements that are no queries. What Deuteron does not do becomes an UnsupportedCommand with the
// statement's name.
#include <algorithm>

#include "sql/lexer.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using unresolved::CommandNode;
using unresolved::UnsupportedCommand;

namespace {

// First words of statements that are known by name only.
constexpr std::string_view kUnsupported[] = {
    "ADD",    "ALTER", "ANALYZE", "BEGIN",  "CALL",     "COMMENT", "DECLARE", "DELETE", "EXECUTE",
    "EXPORT", "GRANT", "IMPORT",  "INSERT", "LIST",     "LOAD",    "LOCK",    "MERGE",  "MSCK",
    "REPAIR", "RESET", "REVOKE",  "SYNC",   "TRUNCATE", "UNLOCK",  "UPDATE",
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

}  // namespace

Statement Parser::statement() {
  CommandNode node;
  if (!command(node)) return query();
  return unresolved::Command{std::move(node)};
}

bool Parser::command(CommandNode& node) {
  const Level level(*this);  // EXPLAIN EXPLAIN …
  const bool is_known_by_name =
      peek().kind == TokenKind::kWord &&
      std::find(std::begin(kUnsupported), std::end(kUnsupported), peek().upper) != std::end(kUnsupported);
  if (is_known_by_name) {
    node = unsupported_command();
  } else if (at("SET")) {
    node = set_command();
  } else if (at("CREATE") || (at("REPLACE") && at("TABLE", 1))) {
    node = create_command();
  } else if (at("DROP")) {
    node = drop_command();
  } else if (at("EXPLAIN")) {
    node = explain_command();
  } else if (at("CACHE")) {
    node = cache_command();
  } else if (at_any({"UNCACHE", "CLEAR", "REFRESH", "USE"})) {
    node = catalog_command();
  } else if (at("SHOW")) {
    node = show_command();
  } else if (at_any({"DESCRIBE", "DESC"})) {
    node = describe_command();
  } else {
    return false;
  }
  return true;
}

// The rest of the statement is not read: its first two words name it.
CommandNode Parser::unsupported_command() {
  std::string feature = peek().upper;
  for (size_t ahead = 1; ahead <= 2 && peek(ahead).kind == TokenKind::kWord; ++ahead) {
    if (!at_any(
            {"TABLE",     "TABLES",       "VIEW",      "VIEWS",     "INTO",     "OVERWRITE",  "DATABASE",
             "DATABASES", "SCHEMA",       "SCHEMAS",   "NAMESPACE", "FUNCTION", "FUNCTIONS",  "CATALOG",
             "CATALOGS",  "CACHE",        "TEMPORARY", "EXTERNAL",  "COLUMNS",  "PARTITIONS", "TBLPROPERTIES",
             "CREATE",    "MATERIALIZED", "INDEX",     "JAR",       "FILE",     "FROM",       "QUERY",
             "EXTENDED",  "VARIABLE",     "IMMEDIATE"},
            ahead)) {
      break;
    }
    feature += " " + peek(ahead).upper;
  }
  position_ = tokens_.size() - 1;
  return UnsupportedCommand{std::move(feature)};
}

// SET, SET -v, SET key, SET key = value, SET TIME ZONE …; the value is the text as it stands.
CommandNode Parser::set_command() {
  const size_t begin = peek().end;
  advance();
  if (at("TIME") && at("ZONE", 1)) {
    advance();
    advance();
    if (peek().kind != TokenKind::kString) return UnsupportedCommand{"SET TIME ZONE other than '…'"};
    return unresolved::SetSetting{"spark.sql.session.timeZone", string_token(), true};
  }
  if (at_any({"CATALOG", "ROLE", "VAR", "VARIABLE", "PATH"}) && peek(1).kind != TokenKind::kEnd &&
      !at_any({"=", "."}, 1)) {
    return UnsupportedCommand{"SET " + peek().upper};
  }
  size_t end = text_.size();
  for (size_t i = position_; i < tokens_.size(); ++i) {
    if (tokens_[i].upper == ";") {
      end = tokens_[i].begin;
      break;
    }
  }
  while (!at_end() && !at(";")) advance();
  const std::string body = trimmed(text_.substr(begin, end - begin));
  const size_t equals = body.find('=');
  unresolved::SetSetting node;
  node.has_value = equals != std::string::npos;
  node.key = trimmed(std::string_view(body).substr(0, equals));
  if (node.has_value) node.value = trimmed(std::string_view(body).substr(equals + 1));
  const auto unquote = [](std::string& text) {
    if (text.size() > 1 && text.front() == '`' && text.back() == '`') text = quoted_name(text);
  };
  unquote(node.key);
  unquote(node.value);
  if (node.key == "-v") return UnsupportedCommand{"SET -v"};
  return node;
}

// CREATE [OR REPLACE] [GLOBAL] TEMPORARY VIEW name [(columns)] AS query
CommandNode Parser::create_command() {
  const size_t start = position_;
  expect("CREATE");
  unresolved::CreateView node;
  node.replace = accept("OR", "REPLACE");
  node.is_global = accept("GLOBAL");
  const bool is_temporary = accept("TEMPORARY") || accept("TEMP");
  if (!is_temporary || !accept("VIEW")) {
    const std::string kind = peek().upper;
    position_ = tokens_.size() - 1;
    return UnsupportedCommand{std::string("CREATE ") + (is_temporary ? "TEMPORARY " : "") + kind};
  }
  const bool if_not_exists = accept("IF", "NOT") && accept("EXISTS");
  node.name = multipart_name();
  if (at("(")) {
    advance();
    do {
      node.columns.push_back(identifier());
      if (accept("COMMENT")) string_token();
    } while (accept(","));
    expect(")");
  }
  if (accept("USING")) return create_view_using(std::move(node));
  if (accept("COMMENT")) string_token();
  if (at("TBLPROPERTIES")) fail_unsupported("TBLPROPERTIES of a view");
  expect("AS");
  node.input = query();
  node.is_query_text = true;
  if (if_not_exists) fail_at(start, "_LEGACY_ERROR_TEMP_0053");
  return node;
}

// … USING format [OPTIONS (key value, …)]
CommandNode Parser::create_view_using(unresolved::CreateView view) {
  const size_t start = position_;
  if (!view.columns.empty()) fail_unsupported("columns of CREATE TEMPORARY VIEW … USING");
  unresolved::DataSource source;
  const Names format = multipart_name();
  for (const std::string& part : format) source.format += (source.format.empty() ? "" : ".") + part;
  if (accept("OPTIONS")) source.options = option_list();
  if (const auto path = source.options.find("path"); path != source.options.end()) {
    source.paths = {path->second};
    source.options.erase(path);
  }
  view.input = relation(std::move(source), start);
  return view;
}

// (key = value, 'key' value, a.b value)
plan::Options Parser::option_list() {
  plan::Options options;
  expect("(");
  do {
    std::string key;
    if (peek().kind == TokenKind::kString) {  // one token alone: the value may be the next
      key = with_whole_characters(string_value(peek().text));
      advance();
    } else {
      for (const std::string& part : multipart_name()) key += (key.empty() ? "" : ".") + part;
    }
    accept("=");
    const bool is_negative = accept("-");
    if (peek().kind == TokenKind::kString) {
      options[lower(std::move(key))] = string_token();
    } else if (at_any({"TRUE", "FALSE"}) || peek().kind == TokenKind::kInteger ||
               peek().kind == TokenKind::kDecimal) {
      options[lower(std::move(key))] = (is_negative ? "-" : "") + lower(std::string(peek().text));
      advance();
    } else {
      fail_here();
    }
  } while (accept(","));
  expect(")");
  return options;
}

CommandNode Parser::drop_command() {
  if (!at("VIEW", 1)) return unsupported_command();
  advance();
  advance();
  unresolved::DropView node;
  node.if_exists = accept("IF", "EXISTS");
  node.name = multipart_name();
  return node;
}

// CACHE [LAZY] TABLE name [[AS] query]
CommandNode Parser::cache_command() {
  expect("CACHE");
  unresolved::CacheTable node;
  node.is_lazy = accept("LAZY");
  expect("TABLE");
  node.name = multipart_name();
  if (at("OPTIONS")) fail_unsupported("OPTIONS of CACHE TABLE");
  const bool has_query = accept("AS") || at_any({"SELECT", "WITH", "VALUES", "FROM", "TABLE"}) || at("(");
  if (has_query) node.query = query();
  return node;
}

// UNCACHE TABLE [IF EXISTS] name, CLEAR CACHE, REFRESH [TABLE] name, REFRESH 'path', USE [DATABASE] name
CommandNode Parser::catalog_command() {
  const size_t start = position_;
  unresolved::CatalogCall call;
  unresolved::CallCatalog node;
  if (accept("CLEAR")) {
    expect("CACHE");
    call.function = "clearCache";
  } else if (accept("UNCACHE")) {
    expect("TABLE");
    node.if_exists = accept("IF", "EXISTS");
    call.function = "uncacheTable";
    call.name = multipart_name();
  } else if (accept("REFRESH")) {
    if (at("FUNCTION")) fail_unsupported("REFRESH FUNCTION");
    if (peek().kind == TokenKind::kString) {
      call.function = "refreshByPath";
      call.name = {string_token()};
    } else {
      accept("TABLE");
      call.function = "refreshTable";
      call.name = multipart_name();
    }
  } else {
    expect("USE");
    if (!accept("DATABASE") && !accept("SCHEMA")) accept("NAMESPACE");
    call.function = "setCurrentDatabase";
    call.name = multipart_name();
  }
  node.call = relation(std::move(call), start);
  return node;
}

// EXPLAIN [EXTENDED | FORMATTED | CODEGEN | COST] query
CommandNode Parser::explain_command() {
  expect("EXPLAIN");
  unresolved::Explain node;
  node.mode = "SIMPLE";
  if (at_any({"EXTENDED", "FORMATTED", "CODEGEN", "COST", "LOGICAL"})) {
    node.mode = peek().upper;
    advance();
  }
  CommandNode inner;
  if (command(inner)) return UnsupportedCommand{"EXPLAIN of a command"};
  node.input = query();
  return node;
}

// SHOW TABLES [[LIKE] 'pattern']
CommandNode Parser::show_command() {
  if (!at("TABLES", 1) || at_any({"FROM", "IN"}, 2)) return unsupported_command();
  advance();
  advance();
  unresolved::ShowTables node;
  accept("LIKE");
  if (peek().kind == TokenKind::kString) node.pattern = string_token();
  return node;
}

// DESCRIBE [TABLE] name, DESCRIBE [QUERY] query
CommandNode Parser::describe_command() {
  const size_t start = position_;
  if (at_any({"FUNCTION", "DATABASE", "SCHEMA", "CATALOG", "NAMESPACE", "EXTENDED", "FORMATTED"}, 1) &&
      at_name(2)) {
    return unsupported_command();
  }
  advance();
  unresolved::DescribeTable node;
  if (at("QUERY") && !at_end()) advance();
  if (at_query(position_) && !at("TABLE")) {
    node.input = query();
    return node;
  }
  if (at("TABLE") && at_name(1)) advance();
  if (at_any({"EXTENDED", "FORMATTED"}) && at_name(1)) {
    position_ = start;
    return unsupported_command();
  }
  node.input = relation(unresolved::NamedTable{multipart_name(), {}}, start);
  if (!at_end() && !at(";")) fail_unsupported("DESCRIBE of a column or a partition");
  return node;
}

}  // namespace deuteron::sql
