"""The connection that a rank keeps for its barriers, against a server that says little."""

import collections
import importlib.util
import os
import signal
import socket
import struct
import threading

import pytest
from pyspark import taskcontext

from deuteron.worker.barrier_connection import BarrierConnections

BARRIER, ALL_GATHER = taskcontext.BARRIER_FUNCTION, taskcontext.ALL_GATHER_FUNCTION


class Server:
    """Answers an all-gather with [number of its connection, message], and a barrier with an empty list. Where it is told
    a number of calls, it closes each connection after so many."""

    def __init__(self, path, calls=None):
        self.path, self.calls = path, calls
        self.connections = 0
        self.open = []
        self.asked = collections.Counter()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection, number):
        with connection:
            while self.calls is None or self.asked[number] < self.calls:
                function = connection.recv(4, socket.MSG_WAITALL)
                if not function:
                    return
                messages = []
                if function == struct.pack("!i", ALL_GATHER):
                    (length,) = struct.unpack("!i", connection.recv(4, socket.MSG_WAITALL))
                    messages = [str(number).encode(), connection.recv(length, socket.MSG_WAITALL) if length else b""]
                self.asked[number] += 1
                assert self.may_answer.wait(30)
                answer = struct.pack("!i", len(messages))
                for message in messages:
                    answer += struct.pack("!i", len(message)) + message
                try:
                    connection.sendall(answer)
                except BrokenPipeError:
                    return  # the caller was interrupted

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already


@pytest.fixture
def server(tmp_path):
    server = Server(str(tmp_path / "barrier"))
    yield server
    server.close()


@pytest.fixture
def calls():
    calls = BarrierConnections()
    yield calls
    calls.close()


def test_calls_share_a_connection(server, calls):
    for _ in range(3):
        assert calls.call(server.path, None, BARRIER) == []
    for message in ("", "ä€😀\n", "x" * 1_000_000):
        assert calls.call(server.path, None, ALL_GATHER, message) == ["1", message]
    assert server.connections == 1


def test_the_next_attempt_has_its_own(server, calls, tmp_path):
    other = Server(str(tmp_path / "other"))
    try:
        assert calls.call(server.path, None, ALL_GATHER, "first") == ["1", "first"]
        assert calls.call(other.path, None, ALL_GATHER, "second") == ["1", "second"]
        assert calls.call(other.path, None, ALL_GATHER, "third") == ["1", "third"]
    finally:
        other.close()


def test_an_attempt_that_was_given_up_is_an_end_of_file(tmp_path, calls):
    server = Server(str(tmp_path / "barrier"), calls=1)
    try:
        calls.call(server.path, None, BARRIER)
        with pytest.raises(EOFError):
            calls.call(server.path, None, BARRIER)
        assert calls.call(server.path, None, ALL_GATHER, "again") == ["2", "again"]  # the broken one is not kept
    finally:
        server.close()
    os.unlink(server.path)
    with pytest.raises(EOFError):
        calls.call(server.path, None, BARRIER)
    with pytest.raises(Exception, match="CANNOT_OPEN_SOCKET"):
        calls.call(server.path, None, BARRIER)


@pytest.mark.parametrize("answer", [None, b"", b"\0\0", b"\0\0\0\1", b"\0\0\0\1\0\0\0\5hell"])
def test_a_connection_that_is_closed_during_a_call_is_an_end_of_file(tmp_path, calls, answer):
    """With the call unread where nothing is said, which resets the connection."""
    path = str(tmp_path / "barrier")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def close_early():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4, socket.MSG_PEEK if answer is None else 0)
                connection.sendall(answer or b"")

        thread = threading.Thread(target=close_early)
        thread.start()
        with pytest.raises(EOFError):
            calls.call(path, None, BARRIER)
        thread.join(60)


def test_threads_do_not_get_each_others_answers(server, calls):
    wrong = []

    def ask(name):
        for number in range(200):
            message = f"{name}-{number}"
            if calls.call(server.path, None, ALL_GATHER, message)[1] != message:
                wrong.append(message)

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert sum(server.asked.values()) == 800 and server.connections <= 4


def test_an_interrupted_call_does_not_leave_its_answer_to_the_next(server, calls):
    class Interrupted(Exception):
        pass

    def interrupt(*_):
        raise Interrupted

    calls.call(server.path, None, BARRIER)
    server.may_answer.clear()
    before = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(Interrupted):
            calls.call(server.path, None, ALL_GATHER, "interrupted")
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
        server.may_answer.set()
    assert calls.call(server.path, None, ALL_GATHER, "next") == ["2", "next"]


def test_a_fork_makes_its_own():
    """In a process of its own, because provide() changes PySpark for good."""
    source, target = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(target, repr(answers_of_a_rank_and_its_fork()).encode())
        except BaseException as error:
            os.write(target, repr(error).encode())
        finally:
            os._exit(0)
    os.close(target)
    with open(source, encoding="utf-8") as told:
        assert told.read() == "(['1', 'rank'], ['2', 'fork'], ['1', 'rank'])"
    os.waitpid(pid, 0)


def answers_of_a_rank_and_its_fork():
    import tempfile

    from deuteron.worker import barrier_connection

    barrier_connection.provide()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, "barrier"))
        first = taskcontext._load_from_socket(server.path, None, ALL_GATHER, "rank")
        source, target = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(target, repr(taskcontext._load_from_socket(server.path, None, ALL_GATHER, "fork")).encode())
            os._exit(0)
        os.close(target)
        with open(source, encoding="utf-8") as told:
            forked = told.read()
        os.waitpid(pid, 0)
        return first, eval(forked), taskcontext._load_from_socket(server.path, None, ALL_GATHER, "rank")


def test_another_pyspark_is_left_alone(monkeypatch):
    from deuteron.worker import barrier_connection, gang_epoch

    specification = importlib.util.find_spec("pyspark.taskcontext")
    other = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(other)
    del other._load_from_socket
    for module in (barrier_connection, gang_epoch):
        monkeypatch.setattr(module, "taskcontext", other)
        module.provide()
    assert not hasattr(other, "_load_from_socket")
