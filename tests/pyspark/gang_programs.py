"""What tests of gangs have in common. Ranks get it by value (conftest.py)."""

import json
import os

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
