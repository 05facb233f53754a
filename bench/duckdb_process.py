"""DuckDB in a process of its own: one JSON line in, one out. Started by tpch.py with the interpreter that has the duckdb package."""

import json
import sys
import time

import duckdb
import pyarrow


def main():
    folder, tables = sys.argv[1], sys.argv[2:]
    connection = duckdb.connect()
    for table in tables:
        connection.execute(f"create view {table} as select * from read_parquet('{folder}/{table}.parquet')")
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        answer = connection.execute(request["query"]).to_arrow_table()
        seconds = time.perf_counter() - start
        if request.get("answer"):
            with pyarrow.OSFile(request["answer"], "wb") as sink, pyarrow.ipc.new_file(sink, answer.schema) as writer:
                writer.write_table(answer)
        print(json.dumps({"seconds": seconds}), flush=True)


main()
