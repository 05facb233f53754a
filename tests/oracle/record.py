#!/usr/bin/env python3
"""Asks Apache Spark for the answers to the case files and writes them beside these.

    record.py                    every case file
    record.py strings dates      the families (or query files) of these names
    record.py --missing          only cases that have no answer yet; answers of cases that are gone are dropped
    record.py --expr "1/0"       prints the answer to one expression or query, writes nothing
    record.py --remote sc://...  uses a Spark server that already runs (tests/oracle/spark_server.py)
"""

import argparse
import contextlib
import logging
import os
import sys
import time
from pathlib import Path

os.environ["TZ"] = "UTC"
time.tzset()
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pyspark.sql import SparkSession  # noqa: E402

from oracle import cases, spark_server  # noqa: E402

for noisy in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
    logging.getLogger(noisy).setLevel(logging.CRITICAL)
HEADER = f"Recorded from Apache Spark {spark_server.SPARK_VERSION} by tests/oracle/record.py; not edited by hand."


def case_files(names):
    paths = sorted([*cases.FUNCTIONS.glob("*.cases"), *cases.QUERIES.glob("*.sql"), *cases.QUERIES.glob("*.py")])
    unknown = set(names) - {path.stem for path in paths} - {path.name for path in paths}
    if unknown:
        raise SystemExit(f"no case file named {', '.join(sorted(unknown))}")
    return [path for path in paths if not names or path.stem in names or path.name in names]


@contextlib.contextmanager
def session(remote):
    spark = SparkSession.builder.remote(remote).create()
    try:
        yield spark
    finally:
        spark.stop()


def record(remote, path, only_missing):
    case_file = cases.read_case_file(path)
    known = {}
    if only_missing and case_file.expected_path.exists():
        known = cases.read_answers(case_file.expected_path)
    wanted = [case for case in case_file.cases if case.key not in known]
    if wanted:
        with session(remote) as spark:
            cases.run_setup(spark, case_file)
            known.update((case.key, cases.run_case(spark, case)) for case in wanted)
    answers = {case.key: known[case.key] for case in case_file.cases}
    cases.write_answers(case_file.expected_path, answers, HEADER)
    errors = sum(lines[0].startswith("!") for lines in answers.values())
    print(f"{path.name}: {len(wanted)} asked, {len(answers)} answers, {errors} of them errors", flush=True)


def ask(remote, expressions):
    with session(remote) as spark:
        for text in expressions:
            case = cases.function_case(text)
            print("\n".join([f"> {text}", *cases.run_case(spark, case), ""]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--expr", action="append", default=[])
    parser.add_argument("--remote")
    options = parser.parse_args()
    paths = [] if options.expr else case_files(options.names)
    with contextlib.ExitStack() as stack:
        remote = options.remote
        if remote is None:
            remote = stack.enter_context(spark_server.SparkServer(worker_python=sys.executable)).remote
        ask(remote, options.expr)
        for path in paths:
            record(remote, path, options.missing)


if __name__ == "__main__":
    main()
