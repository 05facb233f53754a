#!/usr/bin/env python3
"""with_server.py [--remote sc://HOST:PORT | --spark] -- COMMAND…: runs COMMAND … --remote sc://… with a server.

Without --remote a server of Deuteron (or, with --spark, of Apache Spark) is started on a free port and stopped afterwards. The command's exit status is handed on; the server is
ended (SIGTERM, then SIGKILL) whatever happens to the command, and its log is shown only if it could not be started.
"""
import argparse
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 30
DRAIN_SECONDS = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(server: subprocess.Popen, port: int) -> str | None:
    """Returns why the server is not ready, or None when it accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            return f"the server ended with status {server.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return None
        except OSError:
            time.sleep(0.02)
    return f"the server did not answer on port {port} within {START_SECONDS} s"


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
    port = free_port()
    log_path = ROOT / "build/demo-server.log"
    environment = dict(os.environ, PYSPARK_PYTHON=os.environ.get("PYSPARK_PYTHON", sys.executable))
    with open(log_path, "wb") as log:
        server = subprocess.Popen([str(program), "server", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        problem = wait_until_ready(server, port)
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
