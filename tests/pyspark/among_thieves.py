"""Ranks that look for a free port while another process takes every port that the kernel gives away. Run in a network namespace
of its own, by test_rendezvous.py: there are only a few such ports in it."""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from deuteron_server import DeuteronServer  # noqa: E402
from pyspark import BarrierTaskContext, cloudpickle  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

THIEF = """
import socket, time
taken, told = [], False
while True:
    try:
        taken.append(socket.create_server(("", 0)))
    except OSError:
        if not told:
            print(len(taken), flush=True)
        told = True
        time.sleep(0.001)
"""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def bring_loopback_up():
    with socket.socket() as any_socket:
        request = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        name, flags = struct.unpack("16sh22x", request)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", name, flags | IFF_UP))


def choose_and_bind_later(host, between):
    """As TorchDistributor does."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    between()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("", port))
            server.listen()
        except OSError:
            return 0
    return port


def rank(batches):
    import pyarrow

    list(batches)
    context = BarrierTaskContext.get()
    ports = [choose_and_bind_later("127.0.0.1", context.barrier) for _ in range(50)]
    yield pyarrow.RecordBatch.from_pydict({"bound": [sum(port > 0 for port in ports)]})


class Thief:
    def __enter__(self):
        self._process = None
        return self

    def take_all(self):
        self._process = subprocess.Popen([sys.executable, "-c", THIEF], stdout=subprocess.PIPE, text=True)
        assert int(self._process.stdout.readline()) > 0

    def __exit__(self, *_):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def main():
    bring_loopback_up()
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40039")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with tempfile.TemporaryDirectory() as folder, DeuteronServer(Path(folder)) as server, Thief() as thief:
        spark = SparkSession.builder.remote(server.remote).create()
        spark.range(1).collect()  # connects while there are ports
        kernels_choice = choose_and_bind_later("127.0.0.1", thief.take_all)
        rows = spark.range(0, 2, 1, 2).mapInArrow(rank, "bound long", barrier=True).collect()
        spark.stop()
        print(json.dumps({"kernel": kernels_choice, "ranks": [row.bound for row in rows]}))


if __name__ == "__main__":
    main()
