"""Ports that a rank finds are held for it."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from deuteron.worker import held_ports
from deuteron.worker.held_ports import HeldPorts, ranges_outside, read_ephemeral_range


@pytest.fixture
def held():
    ports = HeldPorts()
    yield ports
    ports.release()


def find_port(held, host="127.0.0.1", family=socket.AF_INET):
    """As a program looks for a free port: the socket is closed when its number is known."""
    with socket.socket(family) as probe:
        held.bind(probe, host)
        return probe.getsockname()[1]


def free_range(count=3):
    """Ports that nobody uses now."""
    ports = HeldPorts()
    first = next(port for port in iter(lambda: find_port(ports), None)
                 if port + count < held_ports.HIGHEST and all(map(held_ports.is_free, range(port, port + count))))
    ports.release()
    return range(first, first + count)


def test_the_kernel_gives_the_number_to_nobody(held):
    first, last = read_ephemeral_range()
    found = {find_port(held) for _ in range(20)}
    assert len(found) == 20 and not [port for port in found if first <= port <= last]


def test_the_number_can_be_bound_again_at_every_address(held):
    port = find_port(held)
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::")):
        with socket.socket(family) as server:
            server.bind((host, port))
            server.listen()


def test_another_process_gets_another_number_until_it_is_released():
    (port,) = ports = free_range(1)
    mine = HeldPorts([ports])
    assert find_port(mine) == port
    program = ("import socket, sys; from deuteron.worker.held_ports import HeldPorts; taker = socket.socket();"
               f"HeldPorts([range({port}, {port + 1})]).bind(taker, '127.0.0.1'); print(taker.getsockname()[1])")

    def other():
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60,
                                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        return int(answer.stdout)

    assert other() != port
    mine.release()
    assert other() == port


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", ""])
def test_numbers_in_use_are_passed_over(host):
    ports = free_range()
    held = HeldPorts([ports])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, ports[1]))
        taken.listen()
        assert {find_port(held), find_port(held)} == {ports[0], ports[2]}
        assert find_port(held) not in ports  # nothing left: the kernel's choice
    held.release()


def test_an_address_that_is_not_here_is_an_error_and_holds_nothing():
    ports = free_range(1)
    held = HeldPorts([ports])
    with pytest.raises(OSError), socket.socket() as taker:
        held.bind(taker, "203.0.113.1")
    assert find_port(held) == ports[0]
    held.release()


def test_only_what_asks_for_any_port_of_a_stream_is_meant():
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram, socket.socket(socket.AF_UNIX) as local:
        stream.setblocking(False)
        assert held_ports.asks_for_any_port(stream, ("", 0))
        assert not held_ports.asks_for_any_port(stream, ("", 5))
        assert not held_ports.asks_for_any_port(datagram, ("", 0))
        assert not held_ports.asks_for_any_port(local, "\0name")


def test_ranges_lie_around_the_kernel_s():
    assert ranges_outside(32768, 60999) == [range(61000, 65536), range(20000, 32768)]
    assert ranges_outside(1024, 65535) == []
    assert ranges_outside(10000, 15000) == [range(20000, 65536)]


def test_threads_of_a_rank_get_different_numbers(held):
    found = []
    threads = [threading.Thread(target=lambda: found.append(find_port(held))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 30
