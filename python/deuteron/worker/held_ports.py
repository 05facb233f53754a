"""A port that a rank of a gang has found by binding a socket to port 0 is held for it until its task ends.

Programs look for a free port in this way (PySpark's TorchDistributor among them): bind a socket to port 0, read which number it
got, close it, announce the number, and bind that again, often seconds later and in another process. Meanwhile the kernel may give
the number to anybody. A rank gets a number that the kernel gives to nobody, since it lies outside of
net.ipv4.ip_local_port_range, and that no other rank of any server here gets: whoever has it is told by the name of an abstract
unix socket, which is as wide as the port itself (one network namespace) and goes with the process.
"""

import contextlib
import errno
import os
import random
import socket

GANG_VARIABLE = "DEUTERON_GANG_DIRECTORY"  # set in ranks only
LOWEST, HIGHEST = 20000, 65535  # below are the numbers of known services

_plain_bind = socket.socket.bind


class HeldPorts:
    """The ports of one process. `ranges`: where they are looked for, in this order."""

    def __init__(self, ranges=None):
        self._ranges = ranges
        self._leases = []

    def bind(self, taker, host, *rest):
        """Binds the socket `taker` to a port that is then held; to any port when there is none left to hold."""
        for port in self._candidates():
            with contextlib.ExitStack() as undo:
                lease = undo.enter_context(socket.socket(socket.AF_UNIX))
                if try_bind(lease, f"\0deuteron/port/{port}") and is_free(port) and try_bind(taker, (host, port, *rest)):
                    undo.pop_all()
                    self._leases.append(lease)
                    return
        _plain_bind(taker, (host, 0, *rest))

    def release(self):
        for lease in self._leases:
            lease.close()
        self._leases.clear()

    def _candidates(self):
        if self._ranges is None:
            self._ranges = ranges_outside(*read_ephemeral_range())
        for ports in self._ranges:
            start = random.SystemRandom().randrange(len(ports))  # the user's random numbers stay as they are
            yield from ports[start:]
            yield from ports[:start]


def read_ephemeral_range():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = map(int, file.read().split())
    return first, last


def ranges_outside(first, last):
    """Above the kernel's numbers first: few programs ask for those by number."""
    return [ports for ports in (range(max(last + 1, LOWEST), HIGHEST + 1), range(LOWEST, min(first, HIGHEST + 1))) if ports]


def is_free(port):
    """At every address: who binds it again may ask for all of them."""
    family, host = (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "")
    with socket.socket(family) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return try_bind(probe, (host, port))


def try_bind(taker, address):
    try:
        _plain_bind(taker, address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def asks_for_any_port(taker, address):
    stream = taker.type == socket.SOCK_STREAM and taker.family in (socket.AF_INET, socket.AF_INET6)
    return stream and isinstance(address, tuple) and len(address) >= 2 and address[1] == 0


of_this_process = HeldPorts()


def provide():
    """From now on this process and its forks hold the ports that they find, as long as they are ranks of a gang."""

    def bind(self, address):
        if GANG_VARIABLE in os.environ and asks_for_any_port(self, address):
            of_this_process.bind(self, address[0], *address[2:])
        else:
            _plain_bind(self, address)

    socket.socket.bind = bind
