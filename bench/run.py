#!/usr/bin/env python3
"""Compares Deuteron with its peers in one run, by turns: Sail, Apache Spark, and DuckDB in process.

    make bench                                everything
    make bench ARGS="--only gangs --only tpch"
    make bench ARGS="--no-spark --repeat 3"   without the slow one

Prints a table with a bar for each row and writes build/bench.json. Exits with 1 if a bar is not reached. The machine should be idle.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.setdefault("TZ", "UTC")

import digits  # noqa: E402
import gang_scale  # noqa: E402
import gangs  # noqa: E402
import python_functions  # noqa: E402
import servers  # noqa: E402
import simulation  # noqa: E402
import startup  # noqa: E402
import table  # noqa: E402
import tpch  # noqa: E402
import transfer  # noqa: E402
from pyspark import cloudpickle  # noqa: E402

PARTS = {"startup": startup, "gangs": gangs, "scale": gang_scale, "transfer": transfer, "python": python_functions, "tpch": tpch, "digits": digits,
         "simulation": simulation}
for part in (gangs, gang_scale, transfer, python_functions):
    cloudpickle.register_pickle_by_value(part)


class Running:
    """Servers that are started when they are first asked for, and stopped together."""

    def __init__(self):
        self.started = {}

    def __call__(self, name):
        if name not in self.started:
            self.started[name] = servers.make(name).start()
        return self.started[name]

    def stop(self):
        for server in self.started.values():
            server.stop()


def parse():
    cache = Path(os.environ.get("DEUTERON_CACHE", Path.home() / ".cache/deuteron"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="again for more; all without it")
    parser.add_argument("--no-spark", dest="spark", action="store_false", help="leave Apache Spark out")
    parser.add_argument("--spark-tpch", action="store_true", help="TPC-H on Apache Spark too")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7, help="of the doubles")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3], help="of the demo")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--query", action="append", help="only this query of TPC-H: q01")
    parser.add_argument("--data", type=Path, default=cache / "bench")
    parser.add_argument("--out", type=Path, default=servers.REPOSITORY / "build/bench.json")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    rows = []
    for name in options.only or list(PARTS):
        running = Running()
        start = time.perf_counter()
        try:
            for row in PARTS[name].measure(options, running):
                rows.append(row)
                print(table.render([row]).splitlines()[-1], flush=True)
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else ""
            rows.append(table.Row(name, None, "", 0, True, {}, f"{type(error).__name__}: {text}"[:200]))
            print(f"{name}: {rows[-1].note}", flush=True)
        finally:
            running.stop()
        print(f"({name}: {time.perf_counter() - start:.0f} s)", flush=True)
    print("\n" + table.render(rows))
    table.save(rows, options.out)
    return 0 if all(row.passed is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
