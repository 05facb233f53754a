#!/usr/bin/env python3
"""sql_seeds.py FOLDER: every SQL case of tests/oracle as a file of FOLDER, for the fuzzers to start from."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from oracle import cases  # noqa: E402


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted([*cases.FUNCTIONS.glob("*.cases"), *cases.QUERIES.glob("*.sql")]):
        for number, case in enumerate(cases.read_case_file(path).cases):
            (folder / f"{path.stem}-{number}").write_text(case.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
