#!/usr/bin/env python3
"""with_server.py [--remote sc://HOST:PORT | --spark] -- COMMAND…: runs COMMAND … --remote sc://… with a server.

Without --remote a server of Deuteron (or, with --spark, of Apache Spark) is started on a free port and stopped afterwards. The command's exit status is handed on; the server is
ended (SIGTERM, then SIGKILL) whatever happens to the command, and its log is shown only if it could not be started.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 30
DRAIN_SECONDS = 40


def announced_port(server: subprocess.Popen, log: pathlib.Path) -> tuple[int, str]:
    """The port that the server chose, or 0 and why it is not ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        announced = re.search(r"listens on sc://\S+:(\d+)\n", log.read_text(errors="replace"))
        if announced:
            return int(announced[1]), ""
        if server.poll() is not None:
            return 0, f"the server ended with status {server.returncode}"
        time.sleep(0.02)
    return 0, f"the server was not ready within {START_SECONDS} s"


def stop(server: subprocess.Popen) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"with_server: the server did not end within {DRAIN_SECONDS} s of SIGTERM and is killed", file=sys.stderr)
            server.kill()
            server.wait()


def run_with_server(program: pathlib.Path, command: list[str]) -> int:
    log_path = ROOT / "build/demo-server.log"
    environment = dict(os.environ, PYSPARK_PYTHON=os.environ.get("PYSPARK_PYTHON", sys.executable))
    with open(log_path, "wb") as log:
        server = subprocess.Popen([str(program), "server", "--port", "0"], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        port, problem = announced_port(server, log_path)
        if problem:
            print(f"with_server: {problem}\n{log_path.read_text(errors='replace')[-4000:]}", file=sys.stderr)
            return 1
        return subprocess.run([*command, "--remote", f"sc://localhost:{port}"]).returncode
    finally:
        stop(server)


def run_with_spark(command: list[str]) -> int:
    sys.path.insert(0, str(ROOT / "tests/oracle"))
    from spark_server import SparkServer
    with SparkServer() as server:
        return subprocess.run([*command, "--remote", server.remote]).returncode


def main() -> int:
    arguments = sys.argv[1:]
    if "--" not in arguments:
        print(__doc__)
        return 2
    split = arguments.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("--remote")
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/bin/deuteron")
    options = parser.parse_args(arguments[:split])
    command = arguments[split + 1:]
    if options.remote:
        return subprocess.run([*command, "--remote", options.remote]).returncode
    if options.spark:
        return run_with_spark(command)
    if not options.program.exists():
        print(f"with_server: {options.program} does not exist: run make build", file=sys.stderr)
        return 1
    return run_with_server(options.program, command)


if __name__ == "__main__":
    sys.exit(main())
