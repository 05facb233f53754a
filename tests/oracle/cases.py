"""Reads case files, runs them on any Spark Connect server, and writes answers as text. README.md tells the formats."""

import ast
import atexit
import datetime
import decimal
import json
import math
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import types as T

ORACLE = Path(__file__).resolve().parent
FUNCTIONS = ORACLE / "functions"
QUERIES = ORACLE / "queries"
DATA = ORACLE / "data"
NEW_FOLDER = "oracle-out-"
QUERY_WORDS = ("select", "with", "values", "from")


@dataclass
class Case:
    """One thing to ask: `key` names it in the answer file, `text` is SQL or Python."""
    key: str
    text: str
    line: int
    language: str = "sql"
    ordered: bool = True
    settings: dict = field(default_factory=dict)


@dataclass
class CaseFile:
    path: Path
    setup: list  # cases whose answers are not compared, run once per session
    cases: list

    @property
    def expected_path(self) -> Path:
        return self.path.with_name(self.path.name.removesuffix(".cases") + ".expected")


# --- reading ---------------------------------------------------------------------------------------------------------


def read_case_file(path: Path) -> CaseFile:
    readers = {".cases": _read_function_cases, ".sql": _read_query_cases, ".py": _read_query_cases}
    parsed = readers[path.suffix](path)
    seen = {}
    for case in parsed.cases:
        if case.key in seen:
            raise ValueError(f"{path.name}:{case.line}: the case {case.key!r} is already on line {seen[case.key]}")
        seen[case.key] = case.line
    return parsed


def _read_function_cases(path: Path) -> CaseFile:
    cases, names, settings = [], {}, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("@let "):
            name, _, value = line[5:].partition("=")
            names[name.strip()] = value.strip()
        elif line.startswith("@set "):
            key, _, value = line[5:].partition("=")
            settings = dict(settings, **{key.strip(): value.strip()})
        elif line == "@reset":
            settings = {}
        elif line.startswith("@"):
            raise ValueError(f"{path.name}:{number}: unknown directive {line.split()[0]}")
        else:
            cases += [function_case(part, number, names, settings) for part in split_line(line)]
    return CaseFile(path, [], list({case.key: case for case in cases}.values()))


def split_line(line: str) -> list:
    """`f(1), g(2) from $T` -> [`f(1) from $T`, `g(2) from $T`]: an error in one must not hide the others."""
    commas, tail, depth, quote, index = [], len(line), 0, "", 0
    while index < len(line):
        char = line[index]
        if quote:
            index += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            commas.append(index)
        elif depth == 0 and line[index:index + 6].lower() == " from ":
            tail = index
            break
        index += 1
    is_query = _first_word(line) in QUERY_WORDS
    if not commas or is_query or re.search(r" (where|group|order|having|limit) ", line[tail:], re.I):
        return [line]
    bounds = [-1, *commas, tail]
    parts = [line[start + 1:end].strip() for start, end in zip(bounds, bounds[1:])]
    return [part + line[tail:] for part in parts]


def _first_word(text):
    return re.split(r"\W", text.lower(), maxsplit=1)[0]


def function_case(line, number=0, names=None, settings=None):
    names, settings = names or {}, settings or {}
    text = re.sub(r"\$(\w+)", lambda match: names.get(match[1], match[0]), line)
    if _first_word(text) not in QUERY_WORDS:
        text = "SELECT " + text
    key = "".join(f"[{name}={value}] " for name, value in settings.items()) + line
    return Case(key, text, number, settings=settings)


def _read_query_cases(path: Path) -> CaseFile:
    """Blocks that start with `-- case: NAME [unordered]` or `-- setup` (`#` instead of `--` in Python)."""
    language = path.suffix[1:]
    mark = re.compile(r"^(?:--|#) (?:case: (?P<name>[\w-]+)(?P<unordered> unordered)?|(?P<setup>setup))\s*$")
    setup, cases, block = [], [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = mark.match(line)
        if match and match["setup"]:
            block = Case(f"setup-{number}", "", number, language)
            setup.append(block)
        elif match:
            block = Case(match["name"], "", number, language, ordered=not match["unordered"])
            cases.append(block)
        elif re.match(r"^(--|#) case", line):
            raise ValueError(f"{path.name}:{number}: cannot read {line!r}")
        elif block is not None:
            block.text += line + "\n"
    for block in setup + cases:
        block.text = block.text.strip().removesuffix(";")
    statements = []
    for block in setup:
        texts = block.text.split(";\n") if language == "sql" else [block.text]
        statements += [Case(block.key, text, block.line, language) for text in texts if text.strip()]
    return CaseFile(path, statements, cases)


def read_answers(path: Path) -> dict:
    """Answer file -> {key: [lines]}."""
    answers, lines = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("> "):
            lines = answers.setdefault(line[2:], [])
        elif line.strip() and lines is not None:
            lines.append(line)
    return answers


def write_answers(path: Path, answers: dict, header: str):
    blocks = ["\n".join([f"> {key}", *lines]) for key, lines in answers.items()]
    path.write_text(f"# {header}\n\n" + "\n\n".join(blocks) + "\n")


# --- running ---------------------------------------------------------------------------------------------------------


def run_setup(spark, case_file: CaseFile):
    for case in case_file.setup:
        if case.language == "sql":
            spark.sql(case.text).collect()
        else:
            _evaluate_python(spark, case.text)


def run_case(spark, case: Case) -> list:
    """The answer to a case as lines of text; an error of the server is an answer, any other exception is raised."""
    for key, value in case.settings.items():
        spark.conf.set(key, value)
    try:
        if case.language == "sql":
            return _describe(spark.sql(case.text), case.ordered)
        return _describe(_evaluate_python(spark, case.text), case.ordered)
    except PySparkException as error:
        return describe_error(error)
    except Exception as error:
        error.add_note(f"in the case {case.key!r}")
        raise
    finally:
        for key in case.settings:
            spark.conf.unset(key)


def _evaluate_python(spark, text):
    """Runs the statements and gives back the value of the last one, if that is an expression."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    names = spark.__dict__.setdefault("_oracle_names", {})
    names.update(spark=spark, F=F, T=T, Window=Window, DATA=str(DATA), OUT=_new_folder(), datetime=datetime,
                 Decimal=decimal.Decimal)
    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<case>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<case>", "eval"), names) if last else None


def _new_folder() -> str:
    """For what a case writes; gone when the program ends."""
    folder = tempfile.mkdtemp(prefix=NEW_FOLDER)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _describe(value, ordered) -> list:
    if not isinstance(value, DataFrame):
        lines = value.splitlines() if isinstance(value, str) else [value]
        return ["= " + describe_object(line) for line in lines]
    table, schema = value._to_table()
    if any(isinstance(column.dataType, NOT_IN_PYARROW) for column in schema.fields):
        table, readable = _with_intervals_as_text(value, schema)._to_table()
        rows = describe_rows(table, readable)
    else:
        rows = describe_rows(table, schema)
    return describe_schema(schema) + (rows if ordered else sorted(rows))


def _with_intervals_as_text(frame, schema):
    from pyspark.sql import functions as F

    names = [f"c{index}" for index in range(len(schema.fields))]
    casts = [F.col(name).cast("string") if isinstance(column.dataType, NOT_IN_PYARROW) else F.col(name)
             for name, column in zip(names, schema.fields)]
    return frame.toDF(*names).select(*casts)


def describe_object(value) -> str:
    if isinstance(value, (list, tuple)) and not hasattr(value, "asDict"):
        return "[" + ", ".join(describe_object(item) for item in value) + "]"
    if isinstance(value, (bytes, bytearray)):
        return f"X'{bytes(value).hex().upper()}'"
    return repr(value)


# --- writing values --------------------------------------------------------------------------------------------------


def describe_schema(schema: T.StructType) -> list:
    return [": " + describe_field(column) for column in schema.fields] or [": (no columns)"]


def describe_field(column: T.StructField) -> str:
    return f"{_name(column.name)} {column.dataType.simpleString()}{'' if column.nullable else ' not null'}"


def _name(name):
    return name if re.fullmatch(r"\w+", name) else "`" + name.replace("`", "``").replace("\n", "\\n") + "`"


def describe_rows(table, schema) -> list:
    columns = [[describe_value(value, column.dataType) for value in _raw_values(array)]
               for array, column in zip(table.columns, schema.fields)]
    return ["| " + " | ".join(row) for row in zip(*columns)] if columns else ["| "] * table.num_rows


def _raw_values(array):
    """Python values in which dates, times and intervals are plain integers: Python's own types cannot hold all of them."""
    return [_raw(scalar) for chunk in array.chunks for scalar in chunk]


def _raw(scalar):
    import pyarrow

    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pyarrow.types.is_struct(kind):
        return [_raw(scalar[index]) for index in range(kind.num_fields)]
    if pyarrow.types.is_map(kind):
        return [(_raw(entry[0]), _raw(entry[1])) for entry in _elements(scalar)]
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return [_raw(element) for element in scalar.values]
    if pyarrow.types.is_temporal(kind) and not pyarrow.types.is_interval(kind):
        return scalar.value
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return scalar.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    return scalar.as_py()


def _elements(scalar):
    return [(entry[0], entry[1]) for entry in scalar.values]


def describe_value(value, kind) -> str:
    if value is None:
        return "NULL"
    if isinstance(kind, T.ArrayType):
        return "[" + ", ".join(describe_value(item, kind.elementType) for item in value) + "]"
    if isinstance(kind, T.MapType):
        entries = sorted(describe_value(k, kind.keyType) + ": " + describe_value(v, kind.valueType) for k, v in value)
        return "{" + ", ".join(entries) + "}"
    if isinstance(kind, T.StructType):
        parts = zip(value, kind.fields)
        return "(" + ", ".join(f"{_name(part.name)}={describe_value(v, part.dataType)}" for v, part in parts) + ")"
    for spark_type, writer in WRITERS:
        if isinstance(kind, spark_type):
            return writer(value)
    return repr(value)


def _write_float(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def _write_single(value):
    single = numpy.float32(value)
    return _write_float(value) if not numpy.isfinite(single) else repr(float(str(single)))


def _write_date(days):
    return str(numpy.datetime64(int(days), "D"))


def _write_timestamp(micros):
    text = str(numpy.datetime64(int(micros), "us")).replace("T", " ")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write_time(value):
    return _write_timestamp(value // 1000 if value > 86_400_000_000 else value).split(" ")[1]


NOT_IN_PYARROW = (T.YearMonthIntervalType, T.CalendarIntervalType)
WRITERS = [
    (T.BooleanType, lambda value: "true" if value else "false"),
    (T.StringType, lambda value: json.dumps(value, ensure_ascii=False)),
    (T.CharType, lambda value: json.dumps(value, ensure_ascii=False)),
    (T.VarcharType, lambda value: json.dumps(value, ensure_ascii=False)),
    (T.BinaryType, lambda value: f"X'{value.hex().upper()}'"),
    (T.IntegralType, str),
    (T.DecimalType, lambda value: format(value, "f")),
    (T.FloatType, _write_single),
    (T.DoubleType, _write_float),
    (T.DateType, _write_date),
    (T.TimestampType, lambda value: _write_timestamp(value) + "Z"),
    (T.TimestampNTZType, _write_timestamp),
    (T.DayTimeIntervalType, lambda value: f"{value} us"),
]


# --- writing errors --------------------------------------------------------------------------------------------------


def describe_error(error: PySparkException) -> list:
    """Class, condition, SQLSTATE; then the message parameters; then where in the query."""
    lines = [f"! {type(error).__name__} {error.getCondition()} {error.getSqlState()}"]
    for key, value in sorted((error.getMessageParameters() or {}).items()):
        lines.append(f"! {key} = {json.dumps(_without_ids(value), ensure_ascii=False)}")
    for context in _contexts(error):
        lines.append("! at " + context)
    position = re.search(r"\(line (\d+), pos (\d+)\)", str(error))
    if position:
        lines.append(f"! at line {position[1]}, pos {position[2]}")
    return lines


def _contexts(error):
    for context in error.getQueryContext():
        if context.contextType().name == "SQL":
            fragment = json.dumps(context.fragment(), ensure_ascii=False)
            yield f"{context.startIndex()}..{context.stopIndex()} {fragment}"
        else:
            yield f"call {json.dumps(context.fragment(), ensure_ascii=False)}"


def _without_ids(text):
    """Expression ids (`#12L`), plan ids and new folders differ from run to run."""
    text = re.sub(r"#\d+L?", "#n", str(text))
    text = re.sub(rf"[^\s:\"']*/{NEW_FOLDER}\w+", "OUT", text)
    return re.sub(r"plan_id=\d+", "plan_id=n", text)


# --- comparing -------------------------------------------------------------------------------------------------------


def comparable(lines: list, nullability=False) -> list:
    """What must be equal. The recorded nullability of a column is compared only on request."""
    if nullability:
        return lines
    return [line.removesuffix(" not null") if line.startswith(": ") else line for line in lines]
