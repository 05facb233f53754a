"""One connection for all barrier() and allGather() calls of a rank, where PySpark opens one for each call.

What is said on it is PySpark's own protocol, call after call; the server answers PySpark's connections as well. It is the
connection of one attempt: the server closes it when it gives the attempt up, which the rank sees as an EOFError.
"""

import os
import struct

from pyspark import taskcontext

_INTEGER = struct.Struct("!i")


class BarrierConnections:
    """Of one process. A call takes an idle connection, or a new one, so that calls of several threads do not meet."""

    def __init__(self):
        self._idle = []

    def call(self, address, secret, function, message=None):
        """As pyspark.taskcontext._load_from_socket: waits for the other ranks, and gives back their messages."""
        request = _INTEGER.pack(function)
        if message is not None:
            encoded = message.encode("utf-8")
            request += _INTEGER.pack(len(encoded)) + encoded
        connection = self._take((address, secret))
        try:
            answer = connection.ask(request)
        except BaseException:  # also when a signal's handler raises: an answer may still come
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def close(self):
        """Closes what is idle, at the end of a task or in a fork."""
        while self._idle:
            self._idle.pop().close()

    def _take(self, key):
        try:
            connection = self._idle.pop()
        except IndexError:
            return _Connection(key)
        if connection.key == key:
            return connection
        connection.close()  # of an earlier attempt
        return self._take(key)


class _Connection:
    def __init__(self, key):
        self.key = key
        self._file, self._socket = taskcontext.local_connect_and_auth(*key)
        self._socket.settimeout(None)  # a call may wait for as long as it takes

    def ask(self, request):
        read, unpack = self._file.read, _INTEGER.unpack
        try:
            self._socket.sendall(request)
            messages = []
            for _ in range(unpack(read(4))[0]):
                (length,) = unpack(read(4))
                message = read(length)
                if len(message) < length:
                    raise EOFError
                messages.append(message.decode("utf-8"))
            return messages
        except (struct.error, BrokenPipeError, ConnectionResetError):  # closed: within a number, before, or with this unread
            raise EOFError from None

    def close(self):
        self._file.close()
        self._socket.close()


of_this_process = BarrierConnections()


def provide():
    """From now on BarrierTaskContext calls in this way, here and in forks; PySpark's own stays where it has other parts."""
    if not hasattr(taskcontext, "_load_from_socket") or not hasattr(taskcontext, "local_connect_and_auth"):
        return
    taskcontext._load_from_socket = of_this_process.call
    os.register_at_fork(after_in_child=of_this_process.close)  # a process that the rank forks makes its own
