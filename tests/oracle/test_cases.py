"""The case files themselves: each case has its answer, and each function that Deuteron has is asked about."""

import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))

from oracle import cases  # noqa: E402

FILES = sorted([*cases.FUNCTIONS.glob("*.cases"), *cases.QUERIES.glob("*.sql"), *cases.QUERIES.glob("*.py")])
SPELLED_OTHERWISE = {"getitem": r"\w\[", "second_with_fraction": r"extract\(second"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_case_has_an_answer(path):
    case_file = cases.read_case_file(path)
    answers = cases.read_answers(case_file.expected_path)
    assert list(answers) == [case.key for case in case_file.cases], f"run tests/oracle/record.py {path.stem}"


def registered():
    """The names and aliases in the tables of src/functions."""
    for path in sorted((REPOSITORY / "src/functions").glob("*.cc")):
        for names in re.findall(r'\.(?:name|aliases) = "([a-z_0-9 ]+)"', path.read_text()):
            yield from names.split()


def test_each_function_has_cases():
    asked = "\n".join(path.read_text() for path in FILES if path.suffix in (".cases", ".sql")).lower()
    missing = []
    for name in sorted(set(registered())):
        spelling = SPELLED_OTHERWISE.get(name, rf"(^|[^a-z_0-9]){name}\s*\(|[\s(]{name}\s")
        if not re.search(spelling, asked, re.M):
            missing.append(name)
    assert missing == []
