"""Server start -> first answer, and how much memory it then holds."""

import statistics
import time

import servers
from table import Row


def first_answer(name):
    """Milliseconds from the start of the process to the answer of `select 1`, and MiB resident then."""
    server = servers.make(name)
    start = time.perf_counter()
    try:
        server.start()
        session = servers.SparkSession.builder.remote(server.remote).create()
        assert session.sql("select 1").collect()[0][0] == 1
        milliseconds = (time.perf_counter() - start) * 1000
        resident = server.resident_mib()
        session.client.close()
        return milliseconds, resident
    finally:
        server.stop()


def measure(options, running):
    seen = {name: [] for name in ["deuteron", "sail"]}
    for _ in range(options.repeat + 1):
        for name in seen:
            seen[name].append(first_answer(name))
    times = {name: statistics.median(value for value, _ in pairs[1:]) for name, pairs in seen.items()}
    memory = {name: statistics.median(value for _, value in pairs[1:]) for name, pairs in seen.items()}
    if options.spark:
        times["spark"], memory["spark"] = first_answer("spark")
    yield Row("start → first answer", times.pop("deuteron"), "ms", 0.6 * times["sail"], True, times, "bar: 0.6 × Sail")
    yield Row("resident after it", memory.pop("deuteron"), "MiB", 100, True, memory)
