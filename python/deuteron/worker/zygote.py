"""The warm parent of workers: imports what they need once, then forks them on the server's command.

    python -m deuteron.worker.zygote --control-descriptor 3

It stays single-threaded in Python and never runs user code nor an operation of a deep learning library: what such a
library starts does not survive a fork. It dies with the server (parent-death signal, and end of file on its socket),
and its workers die with it. A zygote can also be forked from another one, which spares the imports.
"""

import argparse
import ctypes
import faulthandler
import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys

from deuteron.worker import barrier_connection, gang_epoch, gang_preemption, held_ports, log_context, protocol, spark_files
from deuteron.worker.warm_up import run_tiny_task
from deuteron.worker.worker_process import WorkerProcess

# What PySpark's worker imports only when the first task runs.
LAZY_IMPORTS = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.pandas_compat",
    "pyspark.cloudpickle",
    "pyspark.sql.pandas.functions",
    "pyspark.sql.pandas.types",
    "pyspark.sql.pandas.utils",
    "pyspark.sql.types",
)

WORKER_VARIABLE = "DEUTERON_WORKER"  # whose descendant a program is

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent):
    """Asks the kernel to kill this process when its parent ends; `parent` is the id it is meant to have."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


class Zygote:
    def __init__(self, control):
        self._control = control
        self._children = {}  # process id -> {"worker": number} or {"zygote": number}
        self._child_ended, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)

    def run(self):
        """Serves commands until the server closes the socket, then ends the workers. Forked children never return."""
        try:
            self._serve()
        except (BrokenPipeError, ConnectionResetError):
            pass
        for pid in self._children:
            kill_group(pid)
        for pid in self._children:
            os.waitpid(pid, 0)
        self._children.clear()
        while self._kill_orphans():
            os.wait()

    def _serve(self):
        protocol.send(
            self._control,
            {
                "type": "hello",
                "protocol": protocol.PROTOCOL_VERSION,
                "pid": os.getpid(),
                "python": "%d.%d" % sys.version_info[:2],
            },
        )
        while True:
            ready, _, _ = select.select([self._control, self._child_ended], [], [])
            if self._child_ended in ready:
                self._child_ended.recv(4096)
                self._reap()
            if self._control in ready and not self._serve_message():
                return

    def _serve_message(self):
        message, descriptors = protocol.receive(self._control)
        if message is None or message["type"] == "exit":
            return False
        if message["type"] == "fork":
            self._fork(message, descriptors)
        elif message["type"] == "preload":
            self._preload(message["modules"])
        else:
            raise protocol.ProtocolError(f"unknown message {message['type']!r}")
        return True

    def _preload(self, modules):
        loaded = []
        for module in modules:
            if module in protocol.PRELOADABLE_MODULES:
                try:
                    importlib.import_module(module)
                    loaded.append(module)
                except Exception as error:  # a broken module of the user must not end the zygote
                    print(f"cannot preload {module}: {error!r}", file=sys.stderr, flush=True)
        freeze_heap()
        protocol.send(self._control, {"type": "preloaded", "modules": loaded})

    def _fork(self, message, descriptors):
        who = {key: message[key] for key in ("worker", "zygote") if key in message}
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            protocol.send(self._control, {"type": "fork_failed", "error": str(error), **who})
            pid = -1
        if pid == 0:
            status = 1
            try:
                self._leave(parent)
                become = become_worker if "worker" in who else become_zygote
                become(message, descriptors)
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                flush_and_exit(status)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid > 0:
            self._children[pid] = who
            pidfd = os.pidfd_open(pid)
            protocol.send(self._control, {"type": "forked", "pid": pid, **who}, (pidfd,))
            os.close(pidfd)

    def _leave(self, parent):
        """In a fork: lets go of what belongs to the zygote."""
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)  # a hook of a library may have done so already: joblib's, with Python 3.12
        self._wakeup.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._child_ended.close()
        self._control.close()

    def _reap(self):
        """Collects ended workers, and processes that lost their parent and fell to the zygote; ends what a worker left behind."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            who = self._children.pop(ended.si_pid, None)
            if who is not None:
                kill_group(ended.si_pid)  # what it left running; its number is taken until it is collected
            self._kill_orphans()
            if who is not None:
                self._report_end(who, ended)
            os.waitpid(ended.si_pid, 0)

    def _kill_orphans(self):
        """Kills what ended workers started in other process groups, as torchrun and mpirun do; gives back how many there were.

        What one of them has started itself falls to the zygote when it ends, and is found then.
        """
        living = {str(who["worker"]) for who in self._children.values() if "worker" in who}
        orphans = [pid for pid in children_of_this_process() - self._children.keys() if worker_that_started(pid) not in (None, *living)]
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)  # its number is taken until it is collected, which only this thread does
        return len(orphans)

    def _report_end(self, who, ended):
        exited = ended.si_code == os.CLD_EXITED
        protocol.send(
            self._control,
            {
                "type": "exited",
                "status": ended.si_status if exited else -1,
                "signal": 0 if exited else ended.si_status,
                **who,
            },
        )


def kill_group(pid):
    assert pid > 1  # 0 and 1 have other meanings, and are somebody else's
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def children_of_this_process():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return {int(pid) for pid in file.read().split()}


def worker_that_started(pid):
    """The number of the worker in which the program that `pid` runs was started, however indirectly; None if it does not tell."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = dict(variable.partition(b"=")[::2] for variable in file.read().split(b"\0"))
    except OSError:
        return None
    number = variables.get(WORKER_VARIABLE.encode())
    return number and number.decode()


def become_worker(message, descriptors):
    os.setpgid(0, 0)  # so that what the user's function starts can be ended with it
    os.environ[WORKER_VARIABLE] = str(message["worker"])
    control, header, output, stacks = descriptors
    redirect_output(output)
    prepare_worker(message, stacks)
    if message.get("spare"):
        run_tiny_task()  # copies the pages of the zygote that a task writes to, while nobody waits
    WorkerProcess(socket.socket(fileno=control), header).serve()


def become_zygote(message, descriptors):
    os.setsid()
    control, output = descriptors
    redirect_output(output)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.environ.update(message["environment"])
    Zygote(socket.socket(fileno=control)).run()


def redirect_output(descriptor):
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def prepare_worker(message, stacks):
    """Settings of a fresh fork: limits, who is killed first when memory is short, random numbers of its own."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("800")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if message.get("data_limit"):
        limit = message["data_limit"] + private_data_bytes()
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    faulthandler.enable()
    # Written by a handler in C, so that also a thread that keeps the interpreter lock is seen.
    faulthandler.register(message["stack_signal"], file=stacks, all_threads=True, chain=False)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def private_data_bytes():
    """What RLIMIT_DATA counts of this process already: inherited from the zygote and shared with it, so not its own."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[5]) * resource.getpagesize()


def freeze_heap():
    """Moves what was imported out of the garbage collector's sight, so that a fork's pages stay shared."""
    gc.collect()
    gc.freeze()


def flush_and_exit(status):
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--control-descriptor", type=int, required=True)
    arguments.add_argument("--parent", type=int, required=True, help="process id of the server")
    options = arguments.parse_args()
    die_with_parent(options.parent)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.reconfigure(line_buffering=True)
    for module in LAZY_IMPORTS:
        importlib.import_module(module)
    spark_files.provide()
    barrier_connection.provide()
    gang_epoch.provide()
    gang_preemption.provide()
    held_ports.provide()
    log_context.provide()
    run_tiny_task()
    freeze_heap()
    Zygote(socket.socket(fileno=options.control_descriptor)).run()


if __name__ == "__main__":
    main()
