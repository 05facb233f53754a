"""Every error condition that the code names has its SQLSTATE, exception class and message in the table."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*(?:\.[A-Z0-9_]+)?)"'


def listed() -> list[str]:
    return re.findall(rf"^\{{{NAME}", (ROOT / "src/base/error_conditions.inc").read_text().replace('{"_', '{"L_'), re.M)


def test_conditions_are_listed():
    known, missing = set(listed()), {}
    for path in (ROOT / "src").rglob("*.cc"):
        if path.name.endswith("_test.cc"):
            continue
        for condition in re.findall(rf"\b(?:error|raise|raise_without_context)\(\s*{NAME}", path.read_text()):
            if condition not in known and condition.split(".")[0] not in known:
                missing.setdefault(condition, path.relative_to(ROOT).as_posix())
    assert not missing


def test_the_table_is_sorted_and_names_each_condition_once():
    names = [line.split('"')[1] for line in (ROOT / "src/base/error_conditions.inc").read_text().splitlines() if line.startswith('{"')]
    assert len(names) == len(set(names))
    assert names == sorted(names)
