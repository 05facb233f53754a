"""Asks the server every recorded question of tests/oracle and compares the answers with Apache Spark's.

tests/oracle/differences.txt lists the questions that are answered differently so far: open work, a line each. Those under its first
heading must be refused, with an error that names the feature; under the second stand answers that differ. `--record-differences`
(without -n) writes the list anew. A listed case may also pass: some depend on the order of equal rows.
"""

import pytest
from oracle import cases

from conftest import ANSWERED_DIFFERENTLY, DIFFERENCES_FOUND, connect, make_active


DIFFERENCES = cases.FUNCTIONS.parent / "differences.txt"
REFUSED, DIFFERENT = (set(part.splitlines()) for part in DIFFERENCES.read_text().split(ANSWERED_DIFFERENTLY))


def is_refused(answer):
    """Whether an answer says that there is no such feature, instead of another answer."""
    return answer[0].startswith("!") and ("UNSUPPORTED_" in answer[0] or "UNRESOLVED_ROUTINE" in answer[0])


def recorded():
    for path in sorted([*cases.FUNCTIONS.glob("*.cases"), *cases.QUERIES.glob("*.sql"), *cases.QUERIES.glob("*.py")]):
        case_file = cases.read_case_file(path)
        answers = cases.read_answers(case_file.expected_path) if case_file.expected_path.exists() else {}
        for case in case_file.cases:
            name = f"{path.stem}:{case.line}:{case.key}"
            yield pytest.param(case_file, case, answers.get(case.key), id=name[:100])


SESSIONS = {}  # one per server and case file, its setup run once


@pytest.fixture
def session_of(server, spark):
    def get(case_file):
        key = (server.remote, case_file.path)
        if key not in SESSIONS:
            SESSIONS[key] = connect(server.remote)
            cases.run_setup(SESSIONS[key], case_file)
        make_active(SESSIONS[key])
        return SESSIONS[key]

    return get


@pytest.mark.parametrize("case_file, case, expected", list(recorded()))
def test_answer(session_of, request, case_file, case, expected):
    assert expected is not None, f"no recorded answer: run tests/oracle/record.py --missing {case_file.path.stem}"
    nullability = request.config.getoption("--nullability", False)
    answer = cases.comparable(cases.run_case(session_of(case_file), case), nullability)
    line = f"{case_file.path.name}: {case.key}".replace("\n", " ")
    differs = answer != cases.comparable(expected, nullability)
    if request.config.getoption("--record-differences", False):
        if differs:
            request.config.stash[DIFFERENCES_FOUND].append((not is_refused(answer), line))
    elif differs and (line in DIFFERENT or line in REFUSED and is_refused(answer)):
        pytest.xfail("listed in differences.txt")
    else:
        assert answer == cases.comparable(expected, nullability)
