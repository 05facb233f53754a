"""TPC-H over Parquet: 22 answers that must be DuckDB's, and how long each takes, the engines by turns."""

import decimal
import json
import math
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow
import servers
from table import Row

TABLES = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"]
QUERIES = Path(__file__).resolve().parent / "tpch"


def data(options) -> Path:
    folder = options.data / f"tpch-{options.scale:g}"
    if not folder.exists():
        options.data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=options.data) as temporary:
            subprocess.run([servers.PEERS / "tpchgen-cli", "parquet", "-s", f"{options.scale:g}", "--quiet", "--output-dir",
                            f"{temporary}/made"], check=True, timeout=1800)
            Path(f"{temporary}/made").rename(folder)
    return folder


def queries(options) -> dict:
    found = {path.stem: path.read_text() for path in sorted(QUERIES.glob("q*.sql"))}
    return {name: text for name, text in found.items() if not options.query or name in options.query}


class DuckDb:
    def __init__(self, folder):
        command = [servers.PEERS / "python", Path(__file__).with_name("duckdb_process.py"), folder, *TABLES]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.folder = tempfile.TemporaryDirectory(prefix="bench-duckdb-")

    def run(self, text, with_answer=False):
        """Seconds, and the rows if they are wanted."""
        path = f"{self.folder.name}/answer.arrow" if with_answer else None
        self.process.stdin.write(json.dumps({"query": text, "answer": path}) + "\n")
        self.process.stdin.flush()
        seconds = json.loads(self.process.stdout.readline())["seconds"]
        return seconds, rows_of(pyarrow.ipc.open_file(path).read_all()) if with_answer else None

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def rows_of(table):
    return list(zip(*[column.to_pylist() for column in table.columns])) if table.num_rows else []


def same_value(one, other):
    numbers = (int, float, decimal.Decimal)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return math.isclose(float(one), float(other), rel_tol=1e-6, abs_tol=2e-6)
    return one == other


def difference(ours, theirs) -> str:
    """Empty if the answers are the same, in their order."""
    if len(ours) != len(theirs):
        return f"{len(ours)} rows instead of {len(theirs)}"
    for index, (one, other) in enumerate(zip(ours, theirs)):
        if len(one) != len(other) or not all(map(same_value, one, other)):
            return f"row {index}: {one} instead of {other}"
    return ""


def use_tables(session, folder):
    for table in TABLES:
        session.read.parquet(f"{folder}/{table}.parquet").createOrReplaceTempView(table)


def timed(session, text):
    start = time.perf_counter()
    answer = session.sql(text).toArrow()
    return time.perf_counter() - start, answer


def measure(options, running):
    folder = data(options)
    sessions = {name: running(name) for name in ["deuteron", "sail", *(["spark"] if options.spark_tpch else [])]}
    for server in sessions.values():
        use_tables(server.connect(), folder)
    duckdb = DuckDb(folder)
    best = {name: {} for name in [*sessions, "duckdb"]}
    wrong, texts = {}, queries(options)
    try:
        for query, text in texts.items():
            _, expected = duckdb.run(text, with_answer=True)
            for name, server in sessions.items():
                problem = check(server, text, expected)
                if problem:
                    wrong.setdefault(name, {})[query] = problem
            for _ in range(options.repeat):
                keep_best(best["duckdb"], query, duckdb.run(text)[0])
                for name, server in sessions.items():
                    if name == "spark" and query in best[name]:
                        continue  # once is enough: it takes half a minute
                    if query not in wrong.get(name, {}):
                        keep_best(best[name], query, timed(server.connect(), text)[0])
            if options.verbose:
                times = "  ".join(f"{name} {times.get(query, math.nan) * 1000:7.1f}" for name, times in best.items())
                print(f"  {query}  {times} ms  {wrong.get('deuteron', {}).get(query, '')}"[:300], flush=True)
    finally:
        duckdb.stop()
    yield from rows(options, best, wrong, texts)


def check(server, text, expected) -> str:
    try:
        return difference(rows_of(timed(server.connect(), text)[1]), expected)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def keep_best(times, query, seconds):
    times[query] = min(seconds, times.get(query, math.inf))


def rows(options, best, wrong, texts):
    ours, failed = best["deuteron"], wrong.get("deuteron", {})
    name = f"TPC-H scale {options.scale:g}"
    for query, problem in failed.items():
        print(f"  {query}: {problem[:400]}")
    others = {peer: len(texts) - len(problems) for peer, problems in wrong.items() if peer != "deuteron"}
    yield Row(f"{name}: right answers", len(texts) - len(failed), "", len(texts), False, others, ", ".join(failed))
    complete = not failed
    ratios = [ours[query] / best["duckdb"][query] for query in ours]
    geometric = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
    worst = max(ours, key=lambda query: ours[query] / best["duckdb"][query], default="")
    yield Row(f"{name}: geometric mean of ratios to DuckDB", geometric, "×", 1.2, True, {},
              f"worst {worst}: {ours[worst] / best['duckdb'][worst]:.2f}" if worst else "")
    common = [query for query in ours if query in best["sail"]]
    totals = {peer: sum(times[query] for query in common if query in times) for peer, times in best.items()}
    mine = totals.pop("deuteron")
    yield Row(f"{name}: total", mine if complete or common else None, "s", 0.9 * totals["sail"], True, totals,
              f"bar: 0.9 × Sail; over {len(common)} queries")
