"""What tests of gangs, and of other functions that wait for something, have in common. Workers get it by value (conftest.py)."""

import json
import os
import time
from pathlib import Path

import pyarrow


def rows_of(columns):
    return pyarrow.RecordBatch.from_pydict(columns)


def gang(spark, ranks, function, schema, rows=None):
    return spark.range(0, rows or ranks, 1, ranks).mapInArrow(function, schema, barrier=True)


def events_of(folder, kind):
    lines = [line for file in folder.glob("*.jsonl") for line in file.read_text().split("\n")[:-1]]
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def publish(folder, name, content=None):
    """Tells the test, from inside a rank, that `name` runs, and as which process (or something else)."""
    path = os.path.join(folder, name)
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()) if content is None else content)
    os.rename(path + ".part", path)


def wait_for_file(path):
    """In a task: until the test, or another task, has created it."""
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"nobody has created {path}"
        time.sleep(0.01)


def first_then_all(rows, seen):
    """What the client gets, the first row of which it must have before it creates the file."""
    rows = rows.toLocalIterator()
    first = next(rows)
    Path(seen).touch()
    return [first, *rows]
