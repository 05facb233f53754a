"""`deuteron logs`: one log of ranks and engine in the order of time, and what it keeps out."""

import json
import os
import re
import signal
import stat
import subprocess
import textwrap

import pytest
from deuteron_server import DeuteronServer, binary, wait_until
from gang_programs import gang, rows_of

from conftest import close, connect

pytestmark = pytest.mark.deuteron

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (rank|task|engine|server|python)(?: (?:rank )?(\d+))?(?: attempt (\d+))?"
                  r"(?: op ([0-9a-f]{8}))? \| (.*)")


def deuteron_logs(*arguments, environment=None):
    return subprocess.run([str(binary()), "logs", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ) | (environment or {}))


class Logged:
    """A server, a session, and what `deuteron logs` shows of the server."""

    def __init__(self, folder, *arguments):
        self.server = DeuteronServer(folder, "--slots", "2", *arguments)
        self.server.start()
        self.spark = connect(self.server.remote)

    def lines(self, *arguments):
        """Matches of LINE: time, source, rank, attempt, operation, text."""
        shown = deuteron_logs("--port", self.server.port, *arguments)
        assert shown.returncode == 0, shown.stderr
        return [LINE.fullmatch(line).groups() for line in shown.stdout.splitlines()]

    def wait_for(self, text, *arguments):
        return wait_until(lambda: lines if text in str(lines := self.lines(*arguments)) else None, 20, text)

    def stop(self):
        close(self.spark)
        self.server.stop()


@pytest.fixture
def logged(tmp_path):
    running = Logged(tmp_path)
    yield running
    running.stop()


def speak_and_die_once(batches):
    import sys

    from pyspark import BarrierTaskContext

    list(batches)
    context = BarrierTaskContext.get()
    rank, attempt = context.partitionId(), context.attemptNumber()
    print(f"out of {rank} in {attempt}")
    print(f"error of {rank} in {attempt}", file=sys.stderr)
    context.barrier()
    if rank == 1 and attempt == 0:
        print("without an end", end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    context.barrier()
    print(f"end of {rank} in {attempt}")
    yield from ()


def test_ranks_and_engine_in_the_order_of_time(logged):
    gang(logged.spark, 2, speak_and_die_once, "id long").collect()
    lines = logged.wait_for("the gang has ended well")
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    said = {(source, rank, attempt, text) for _, source, rank, attempt, _, text in lines}
    for attempt in "01":
        for rank in "01":
            assert ("rank", rank, attempt, f"out of {rank} in {attempt}") in said
            assert ("rank", rank, attempt, f"error of {rank} in {attempt}") in said
    assert ("rank", "1", "0", "without an end") in said
    texts = [line[5] for line in lines]
    order = ["the gang mapInArrow(speak_and_die_once) of 2 ranks starts", "out of 1 in 0", "without an end", "the attempt has failed",
             "the gang mapInArrow(speak_and_die_once) of 2 ranks starts again", "out of 1 in 1", "end of 1 in 1", "the gang has ended well"]
    places = [next(place for place, text in enumerate(texts) if text == wanted or text.startswith(wanted + ":")) for wanted in order]
    assert places == sorted(places), texts
    failed = next(line for line in lines if line[5].startswith("the attempt has failed"))
    assert failed[1:4] == ("engine", "1", "0") and "SIGKILL" in failed[5]
    assert len({line[4] for line in lines if line[1] == "rank"}) == 1


def test_filters(logged):
    gang(logged.spark, 2, speak_and_die_once, "id long").collect()
    operation = logged.wait_for("the gang has ended well")[0][4]
    logged.spark.range(0, 1, 1, 1).mapInArrow(lambda batches: (print("a task"), batches)[1], "id long").collect()
    of_task = next(line for line in logged.wait_for("a task") if line[5] == "a task")
    assert of_task[1:4] == ("task", "0", "0") and of_task[4] != operation
    assert {line[2] for line in logged.lines("--rank", 1)} == {"1"}
    assert {line[4] for line in logged.lines("--operation", operation)} == {operation}
    assert {line[4] for line in logged.lines("--operation", of_task[4])} == {of_task[4]}
    assert logged.lines("--since", of_task[0])[0] == of_task
    assert logged.lines("--session", "nobody") == []


def test_ranks_that_are_missing_are_told(logged):
    def run(batches):
        import time

        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        if context.partitionId() == 1:
            time.sleep(0.5)
        context.barrier()
        yield from ()

    logged.spark.conf.set("spark.deuteron.gang.hang.timeout", "100ms")
    gang(logged.spark, 2, run, "id long").collect()
    lines = logged.wait_for("the gang has ended well")
    assert any(re.fullmatch(r"others wait at barrier 0 since \d+\.\d s for rank 1 \(policy: warn\)", line[5]) for line in lines)
    assert any(line[1:3] == ("engine", "1") and "in run" in line[5] for line in lines)


@pytest.mark.heavy
def test_a_rank_that_prints_without_end_is_bounded(tmp_path):
    logged = Logged(tmp_path, "--log-directory", str(tmp_path / "log"), "--log-size", "2MB")
    try:

        def run(batches):
            import sys

            from pyspark import BarrierTaskContext

            list(batches)
            context = BarrierTaskContext.get()
            if context.partitionId() == 0:
                text = "x" * 99 + "\n"
                for _ in range(100):
                    sys.stdout.write(text * 10_000)
            context.barrier()
            print("still heard", context.partitionId())
            yield rows_of({"rank": [context.partitionId()]})

        assert len(gang(logged.spark, 2, run, "rank long").collect()) == 2
        logged.wait_for("still heard 0")
        logged.wait_for("still heard 1")
        sizes = {path.name: path.stat().st_size for path in (tmp_path / "log").iterdir()}
        assert set(sizes) == {"server.log", "server.log.1"} and max(sizes.values()) <= 2 << 20
        assert len(logged.server.log()) < 40 << 20, "what the server prints itself is bounded too"
    finally:
        logged.stop()


def test_long_lines_carriage_returns_and_control_characters(logged):
    def run(batches):
        import sys

        list(batches)
        print("y" * 100_000)
        sys.stderr.write("\r10%\r20%\r\nred \x1b[31m\n")
        sys.stdout.flush()
        yield from ()

    logged.spark.range(0, 1, 1, 1).mapInArrow(run, "id long").collect()
    texts = [line[5] for line in logged.wait_for("red") if line[1] == "task"]
    assert "10%" in texts and "20%" in texts and "red \\x1b[31m" in texts
    long = next(text for text in texts if text.startswith("y"))
    assert long == "y" * 8128 + " … (91872 bytes more)"


def test_the_log_is_private_and_stays_where_that_is_asked_for(tmp_path):
    folder = tmp_path / "log"
    logged = Logged(tmp_path, "--log-directory", str(folder))
    gang(logged.spark, 2, speak_and_die_once, "id long").collect()
    logged.stop()
    assert stat.S_IMODE((folder / "server.log").stat().st_mode) == 0o600
    lines = [json.loads(line) for line in (folder / "server.log").read_text().splitlines()]
    of_rank = next(line for line in lines if line["source"] == "rank")
    assert set(of_rank) == {"time", "source", "session", "operation", "stage", "attempt", "rank", "text"}
    shown = deuteron_logs("--directory", folder)
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == len(lines)


def test_follow_shows_what_comes_and_ends_with_the_server(tmp_path):
    logged = Logged(tmp_path)
    with open(tmp_path / "followed", "w") as out:
        following = subprocess.Popen([str(binary()), "logs", "--follow", "--port", str(logged.server.port), "--rank", "0"], stdout=out)
    try:
        gang(logged.spark, 2, speak_and_die_once, "id long").collect()
        wait_until(lambda: "end of 0 in 1" in (tmp_path / "followed").read_text(), 20, "the last line of rank 0")
    finally:
        logged.stop()
    assert following.wait(30) == 0


def test_without_a_server_or_a_log_there_is_one_line_of_error(tmp_path):
    nowhere = {"TMPDIR": str(tmp_path)}
    for arguments, words in [((), "no server of yours runs"), (("--port", 1), "no server of yours runs"),
                             (("--directory", tmp_path / "none"), "there is no log in"), (("--since", "x"), "--since takes")]:
        shown = deuteron_logs(*arguments, environment=nowhere)
        assert shown.returncode != 0 and shown.stdout == ""
        assert words in shown.stderr and shown.stderr.count("\n") == 1


def test_a_second_server_does_not_write_into_the_same_log(tmp_path):
    with DeuteronServer(tmp_path, "--log-directory", str(tmp_path / "log")):
        with pytest.raises(RuntimeError, match="another server writes its log there"):
            DeuteronServer(tmp_path, "--log-directory", str(tmp_path / "log")).start()


def test_the_epoch_counts_the_barriers_of_the_attempt(logged):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        seen = [context.getLocalProperty("deuteron.gang.epoch")]
        context.barrier()
        seen.append(context.getLocalProperty("deuteron.gang.epoch"))
        context.allGather("x")
        seen.append(context.getLocalProperty("deuteron.gang.epoch"))
        if context.attemptNumber() == 0 and context.partitionId() == 0:
            raise ValueError("once more")
        context.barrier()
        yield rows_of({"seen": [" ".join(seen)], "attempt": [context.attemptNumber()]})

    answer = gang(logged.spark, 2, run, "seen string, attempt long").collect()
    assert [tuple(row) for row in answer] == [("0 1 2", 1)] * 2


@pytest.mark.heavy
def test_torch_distributor_shows_lines_to_its_client_and_in_the_log(logged, tmp_path, capfd):
    pytest.importorskip("torch")
    from pyspark.ml.torch.distributor import TorchDistributor

    program = tmp_path / "train.py"
    program.write_text(textwrap.dedent("""
        import os
        for step in range(3):
            print("step", step, "of rank", os.environ["RANK"], flush=True)
        """))
    TorchDistributor(num_processes=2, local_mode=False, use_gpu=False).run(str(program))
    lines = logged.wait_for("the gang has ended well")
    client = capfd.readouterr().err
    for rank in range(2):
        for step in range(3):
            text = f"step {step} of rank {rank}"
            assert client.splitlines().count(text) == 1
            assert [line[1:4] for line in lines if line[5] == text] == [("rank", str(rank), "0")]
