"""Gangs: mapInArrow(..., barrier=True) with PySpark's BarrierTaskContext, and what happens when a rank fails."""

import os
import signal
import threading
import time

import pyarrow
import pytest
from deuteron_server import DeuteronServer, wait_until
from gang_programs import events_of, gang, publish, rows_of
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import functions as F


# --- what a rank sees ------------------------------------------------------------------------------------------------


def test_ranks_meet(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        ids = [value for batch in batches for value in batch.column("id").to_pylist()]
        context.barrier()
        told = context.allGather(f"{context.partitionId()}:{ids}")
        yield rows_of({"rank": [context.partitionId()], "attempt": [context.attemptNumber()], "told": ["|".join(told)],
                       "infos": [len(context.getTaskInfos())], "stage": [context.stageId()]})

    answer = gang(spark, 2, run, "rank long, attempt long, told string, infos long, stage long", rows=4).collect()
    assert sorted(row["rank"] for row in answer) == [0, 1]
    assert {row.told for row in answer} == {"0:[0, 1]|1:[2, 3]"}
    assert {(row.attempt, row.infos) for row in answer} == {(0, 2)}


def test_ranks_are_processes_that_run_together(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        start = time.time()
        BarrierTaskContext.get().barrier()
        time.sleep(0.1)
        yield rows_of({"process": [os.getpid()], "start": [start], "end": [time.time()]})

    one, other = gang(spark, 2, run, "process long, start double, end double").collect()
    assert one.process != other.process
    assert one.start < other.end and other.start < one.end


def test_barrier_waits_for_the_last(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        time.sleep(0.4 * context.partitionId())
        before = time.time()
        context.barrier()
        yield rows_of({"before": [before], "after": [time.time()]})

    answer = gang(spark, 2, run, "before double, after double").collect()
    assert min(row.after for row in answer) >= max(row.before for row in answer)


def test_all_gather_of_long_and_odd_messages(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        told = context.allGather("" if context.partitionId() else "ä€😀\n" + "x" * 50_000)
        yield rows_of({"lengths": [str([len(text) for text in told])], "head": [told[0][:4]]})

    answer = gang(spark, 2, run, "lengths string, head string").collect()
    assert [tuple(row) for row in answer] == [("[50004, 0]", "ä€😀\n")] * 2


def test_many_barriers(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        seen = []
        for turn in range(2):
            context.barrier()
            seen.append(context.allGather(str(turn * 10 + context.partitionId())))
        yield rows_of({"seen": [str(seen)]})

    answer = gang(spark, 2, run, "seen string").collect()
    assert {row.seen for row in answer} == {"[['0', '1'], ['10', '11']]"}


@pytest.mark.deuteron
def test_a_rank_keeps_one_connection_and_plain_pyspark_meets_it(spark):
    """Rank 1 calls with a fresh copy of PySpark's module, which opens a connection for each call."""

    def run(batches):
        import importlib.util

        from pyspark import BarrierTaskContext

        def sockets():
            links = (f"/proc/self/fd/{descriptor}" for descriptor in os.listdir("/proc/self/fd"))
            return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)

        list(batches)
        context = BarrierTaskContext.get()
        rank = context.partitionId()
        specification = importlib.util.find_spec("pyspark.taskcontext")
        plain = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(plain)

        def gather(message):
            if rank == 0:
                return context.allGather(message)
            return plain._load_from_socket(context._conn_info, context._secret, plain.ALL_GATHER_FUNCTION, message)

        before = sockets()
        told = [gather(f"{turn}/{rank}") for turn in range(50)]
        right = told == [[f"{turn}/0", f"{turn}/1"] for turn in range(50)]
        opened = sockets() - before
        context.barrier()
        yield rows_of({"rank": [rank], "right": [right], "opened": [opened]})

    answer = gang(spark, 2, run, "rank long, right boolean, opened long").collect()
    assert sorted(map(tuple, answer)) == [(0, True, 1), (1, True, 0)]


def test_gang_in_pandas(spark):
    def run(frames):
        from pyspark import BarrierTaskContext

        for frame in frames:
            frame["told"] = ",".join(BarrierTaskContext.get().allGather(str(len(frame))))
            yield frame

    answer = spark.range(0, 6, 1, 2).mapInPandas(run, "id long, told string", barrier=True).collect()
    assert {row.told for row in answer} == {"3,3"}


def test_gang_of_one(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        yield rows_of({"told": [BarrierTaskContext.get().allGather("me")[0]]})

    assert gang(spark, 1, run, "told string").first().told == "me"


def test_gang_with_an_empty_partition(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        rows = sum(batch.num_rows for batch in batches)
        yield rows_of({"counts": [str(sorted(BarrierTaskContext.get().allGather(str(rows))))]})

    answer = spark.range(0, 4, 1, 2).filter("id < 2").mapInArrow(run, "counts string", barrier=True).collect()
    assert [row.counts for row in answer] == ["['0', '2']"] * 2


def test_gang_between_relational_stages(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        total = sum(pyarrow.compute.sum(batch.column("v")).as_py() or 0 for batch in batches)
        told = BarrierTaskContext.get().allGather(str(total))
        yield rows_of({"all": [sum(map(int, told))]})

    source = spark.range(1000).filter("id % 2 = 0").select(F.col("id").alias("v")).repartition(2)
    answer = source.mapInArrow(run, "all long", barrier=True).groupBy().agg(F.count("*").alias("n"), F.max("all").alias("m"))
    assert tuple(answer.first()) == (2, 249_500)


@pytest.mark.deuteron  # Apache Spark takes barrier stages only at the end of a plan
def test_two_gangs_in_one_query(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        yield rows_of({"x": [len(context.allGather("x")) + context.partitionId()]})

    first = gang(spark, 2, run, "x long")
    second = gang(spark, 2, run, "x long")
    assert sorted(row.x for row in first.union(second).collect()) == [2, 2, 3, 3]


def test_gang_after_gang(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        rows = sum(batch.num_rows for batch in batches)
        BarrierTaskContext.get().barrier()
        yield rows_of({"x": [rows]})

    answer = gang(spark, 2, run, "x long", rows=10).repartition(2).mapInArrow(run, "x long", barrier=True)
    assert sum(row.x for row in answer.collect()) == 2


def test_gangs_of_several_sessions_do_not_lock_each_other(new_session):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        for _ in range(2):
            BarrierTaskContext.get().barrier()
        yield rows_of({"x": [1]})

    answers = []
    sessions = [new_session() for _ in range(3)]
    threads = [threading.Thread(target=lambda session=session: answers.append(len(gang(session, 2, run, "x long").collect())))
               for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [2, 2, 2]


def test_input_larger_than_a_block(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        rows = sum(batch.num_rows for batch in batches)
        yield rows_of({"rows": [",".join(BarrierTaskContext.get().allGather(str(rows)))]})

    answer = gang(spark, 2, run, "rows string", rows=4_000_000).collect()
    assert {row.rows for row in answer} == {"2000000,2000000"}


# --- failures --------------------------------------------------------------------------------------------------------


def fail_at_first(how, folder):
    """A rank function: rank 1 of attempt 0 ends by `how`, while rank 0 waits for it."""

    def run(batches):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        ids = [value for batch in batches for value in batch.column("id").to_pylist()]
        publish(folder, f"{context.attemptNumber()}-{context.partitionId()}")
        context.barrier()
        if context.attemptNumber() == 0 and context.partitionId() == 1:
            if how == "raise":
                raise ValueError("rank 1 gives up")
            if how == "exit":
                os._exit(7)
            if how == "sys.exit":
                import sys
                sys.exit(7)
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
        told = context.allGather(str(ids))
        yield rows_of({"rank": [context.partitionId()], "attempt": [context.attemptNumber()], "told": ["|".join(told)]})

    return run


@pytest.mark.deuteron  # Apache Spark's local mode tries a task once
@pytest.mark.parametrize("how", ["raise", "exit", "sys.exit", "kill", "segfault"])
def test_the_gang_starts_again_from_the_same_input(spark, tmp_path, how):
    run = fail_at_first(how, str(tmp_path))
    answer = gang(spark, 2, run, "rank long, attempt long, told string", rows=4).collect()
    assert sorted((row["rank"], row.attempt) for row in answer) == [(0, 1), (1, 1)]
    assert {row.told for row in answer} == {"[0, 1]|[2, 3]"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["0-0", "0-1", "1-0", "1-1"]


@pytest.mark.deuteron
@pytest.mark.parametrize("ends_well", [True, False])
def test_a_directory_survives_the_attempt_and_goes_with_the_gang(new_session, ends_well):
    spark = new_session()
    spark.conf.set("spark.stage.maxConsecutiveAttempts", "2")

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        folder = os.environ["DEUTERON_GANG_DIRECTORY"]
        checkpoint = os.path.join(folder, f"rank-{context.partitionId()}")
        if context.attemptNumber() == 0:
            with open(checkpoint, "w") as file:
                file.write("step 7")
        context.barrier()
        if context.attemptNumber() == 0 or not ends_well:
            raise ValueError(f"folder {folder} ends")
        with open(checkpoint) as file:
            found = file.read()
        yield rows_of({"folder": [folder], "mode": [os.stat(folder).st_mode & 0o777], "found": [found]})

    answer = gang(spark, 2, run, "folder string, mode long, found string")
    if ends_well:
        rows = answer.collect()
        assert [(row.mode, row.found) for row in rows] == [(0o700, "step 7")] * 2
        assert rows[0].folder == rows[1].folder
        folder = rows[0].folder
    else:
        with pytest.raises(PySparkException) as caught:
            answer.collect()
        folder = str(caught.value).split("ValueError: folder ")[1].split(" ends")[0]
    assert os.path.basename(folder).startswith("gang-") and not os.path.exists(folder)


@pytest.mark.deuteron
def test_only_gangs_have_a_directory(spark):
    def run(batches):
        list(batches)
        yield rows_of({"given": ["DEUTERON_GANG_DIRECTORY" in os.environ]})

    assert [row.given for row in spark.range(0, 2, 1, 2).mapInArrow(run, "given boolean").collect()] == [False, False]


@pytest.mark.deuteron
def test_a_rank_killed_from_outside(spark, tmp_path):
    folder = str(tmp_path)

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        publish(folder, f"{context.attemptNumber()}-{context.partitionId()}")
        context.barrier()
        if context.attemptNumber() == 0:
            time.sleep(60)
        yield rows_of({"attempt": [context.attemptNumber()], "process": [os.getpid()]})

    def kill():
        wait_until(lambda: (tmp_path / "0-0").exists() and (tmp_path / "0-1").exists(), 20, "both ranks run")
        time.sleep(0.1)
        os.kill(int((tmp_path / "0-0").read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    start = time.time()
    answer = gang(spark, 2, run, "attempt long, process long").collect()
    thread.join(20)
    assert time.time() - start < 30
    assert {row.attempt for row in answer} == {1}
    assert not os.path.exists(f"/proc/{(tmp_path / '0-0').read_text()}/exe")


@pytest.mark.deuteron
def test_the_stages_before_are_not_run_again(spark, tmp_path):
    log = str(tmp_path / "upstream")

    def upstream(batches):
        for batch in batches:
            with open(log, "a") as file:
                file.write("x")
            yield batch

    ranks = tmp_path / "ranks"
    ranks.mkdir()
    source = spark.range(0, 4, 1, 2).mapInArrow(upstream, "id long")
    answer = source.mapInArrow(fail_at_first("raise", str(ranks)), "rank long, attempt long, told string", barrier=True)
    assert {row.attempt for row in answer.collect()} == {1}
    assert (tmp_path / "upstream").read_text() == "xx"


@pytest.mark.deuteron
def test_at_the_end_the_first_failure_is_told(spark, tmp_path):
    folder = str(tmp_path)

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        publish(folder, f"{context.attemptNumber()}-{context.partitionId()}")
        if context.partitionId() == 1:
            raise ValueError(f"rank 1 always gives up, attempt {context.attemptNumber()}")
        context.barrier()
        yield rows_of({"x": [1]})

    with pytest.raises(PySparkException) as caught:
        gang(spark, 2, run, "x long").collect()
    assert "ValueError: rank 1 always gives up" in str(caught.value)
    assert "in run" in str(caught.value)
    assert {entry.name.split("-")[0] for entry in tmp_path.iterdir()} == {"0", "1", "2", "3"}
    assert spark.range(3).count() == 3


@pytest.mark.deuteron
def test_the_number_of_attempts_is_a_setting(new_session, tmp_path):
    spark, folder = new_session(), str(tmp_path)
    spark.conf.set("spark.stage.maxConsecutiveAttempts", "2")

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        publish(folder, str(BarrierTaskContext.get().attemptNumber()))
        raise ValueError("no")
        yield

    with pytest.raises(PySparkException):
        gang(spark, 1, run, "x long").collect()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["0", "1"]


def always_the_same_error(folder):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        publish(folder, f"{context.attemptNumber()}-{context.partitionId()}")
        if context.partitionId() == 1:
            raise ValueError("rank 1 always gives up")
        context.barrier()
        yield rows_of({"x": [1]})

    return run


@pytest.mark.deuteron
def test_the_same_exception_twice_in_a_row_is_final(new_session, tmp_path):
    spark = new_session()
    with pytest.raises(PySparkException) as caught:
        gang(spark, 2, always_the_same_error(str(tmp_path)), "x long").collect()
    assert "ValueError: rank 1 always gives up" in str(caught.value)
    assert "in two attempts in a row" in str(caught.value) and "stopOnSameFailure" in str(caught.value)
    assert {entry.name.split("-")[0] for entry in tmp_path.iterdir()} == {"0", "1"}


@pytest.mark.deuteron
@pytest.mark.parametrize("key, value", [("deuteron.gang.stopOnSameFailure", "false"), ("stage.maxConsecutiveAttempts", "4")])
def test_the_same_exception_is_tried_again_where_that_is_asked_for(new_session, tmp_path, key, value):
    spark = new_session()
    spark.conf.set(f"spark.{key}", value)
    spark.conf.set("spark.deuteron.gang.backoff", "10ms")
    with pytest.raises(PySparkException, match="after 4 attempts"):
        gang(spark, 2, always_the_same_error(str(tmp_path)), "x long").collect()
    assert {entry.name.split("-")[0] for entry in tmp_path.iterdir()} == {"0", "1", "2", "3"}


@pytest.mark.deuteron
def test_a_gang_that_waits_is_told_with_place_and_reason(new_session, tmp_path):
    (tmp_path / "server").mkdir()
    here, gate = tmp_path / "here", tmp_path / "gate"

    def hold(batches):
        list(batches)
        here.touch()
        while not gate.exists():
            time.sleep(0.01)
        yield rows_of({"x": [1]})

    with DeuteronServer(tmp_path / "server", "--slots", "2") as server:
        busy, spark, other = (new_session(server.remote) for _ in range(3))
        threads = [threading.Thread(target=lambda one=one, ranks=ranks: gang(one, ranks, hold, "x long").collect()) for one, ranks in ((busy, 1), (spark, 2))]
        waiting = "select pool, position, reason, expected_start is null or expected_start > timestamp'2026-01-01', operation_id from waiting_gangs()"
        assert spark.sql(waiting).collect() == []
        threads[0].start()
        wait_until(here.exists, 30, "the gang before it")
        threads[1].start()
        wait_until(lambda: spark.sql(waiting).count() == 1, 30, "the gang that waits")
        (row,) = spark.sql(waiting).collect()
        assert tuple(row)[:4] == ("default", 1, "needs 2 CPUs, free: 1 CPU", True)
        assert row.operation_id and busy.sql(waiting).collect() == other.sql(waiting).collect() == []
        gate.touch()
        for thread in threads:
            thread.join(60)
        assert spark.sql(waiting).collect() == []
        with pytest.raises(AnalysisException, match="WRONG_NUM_ARGS"):
            spark.sql("select * from waiting_gangs(1)").collect()
        for session in (busy, spark, other):
            session.stop()


@pytest.mark.deuteron
def test_a_time_limit_ends_a_gang(new_session):
    spark = new_session()
    spark.conf.set("spark.deuteron.gang.timeLimit", "500ms")

    def run(batches):
        list(batches)
        time.sleep(60)
        yield rows_of({"x": [1]})

    start = time.time()
    with pytest.raises(PySparkException) as caught:
        gang(spark, 2, run, "x long").collect()
    assert time.time() - start < 30
    assert caught.value.getCondition() == "GANG_TIME_LIMIT"
    assert "0.5 s" in str(caught.value)
    assert spark.range(3).count() == 3


def hang_at_first(batches):
    from pyspark import BarrierTaskContext

    list(batches)
    context = BarrierTaskContext.get()
    if context.attemptNumber() == 0 and context.partitionId() == 1:
        time.sleep(60)
    context.barrier()
    yield rows_of({"attempt": [context.attemptNumber()]})


@pytest.mark.deuteron
@pytest.mark.parametrize("policy", ["relaunch", "fail"])
def test_a_rank_that_does_not_come(new_session, policy):
    spark = new_session()
    spark.conf.set("spark.deuteron.gang.hang.timeout", "300ms")
    spark.conf.set("spark.deuteron.gang.hang.policy", policy)
    start = time.time()
    if policy == "relaunch":
        # The second attempt has a timeout too, which it must not reach: both ranks come at once.
        assert [row.attempt for row in gang(spark, 2, hang_at_first, "attempt long").collect()] == [1, 1]
    else:
        with pytest.raises(PySparkException) as caught:
            gang(spark, 2, hang_at_first, "attempt long").collect()
        assert caught.value.getCondition() == "GANG_HANGS"
        assert "The ranks 1 have not come to barrier 0" in str(caught.value)
    assert time.time() - start < 30


def block_in_c(batches):
    """Rank 1 keeps the interpreter lock while it sleeps, as a library in C may do that waits for its peers."""
    import ctypes

    from pyspark import BarrierTaskContext

    list(batches)
    context = BarrierTaskContext.get()

    def wait_for_ever():
        while True:
            ctypes.PyDLL(None).sleep(60)

    if context.attemptNumber() == 0 and context.partitionId() == 1:
        wait_for_ever()
    context.barrier()
    yield rows_of({"attempt": [context.attemptNumber()]})


@pytest.mark.deuteron
def test_the_error_of_a_hang_shows_where_each_rank_is(new_session):
    spark = new_session()
    spark.conf.set("spark.deuteron.gang.hang.policy", "fail")
    with pytest.raises(PySparkException) as caught:
        gang(spark, 2, block_in_c, "attempt long").collect()
    told = str(caught.value)
    assert caught.value.getCondition() == "GANG_HANGS"
    assert "The ranks 1 have not come to barrier 0" in told
    missing, waiting = told.split("Rank 1, ")[1].split("Rank 0, ")
    assert "in wait_for_ever" in missing and "in block_in_c" in missing
    assert "in barrier" in waiting and "in block_in_c" in waiting and "wait_for_ever" not in waiting


@pytest.mark.deuteron
def test_the_event_log_shows_where_each_rank_was_when_the_gang_starts_again(logged_server, new_session, tmp_path):
    spark = new_session(logged_server.remote)
    spark.conf.set("spark.deuteron.gang.hang.policy", "relaunch")
    assert [row.attempt for row in gang(spark, 2, block_in_c, "attempt long").collect()] == [1, 1]
    wait_until(lambda: len(events_of(tmp_path / "log", "RankStacks")) == 2, 30, "the stacks of both ranks")
    seen = {event["rank"]: event for event in events_of(tmp_path / "log", "RankStacks")}
    assert "in wait_for_ever" in seen[1]["stacks"] and seen[1]["missing"]
    assert "in barrier" in seen[0]["stacks"] and not seen[0]["missing"]
    assert {event["attempt"] for event in seen.values()} == {0}


@pytest.mark.deuteron
def test_a_stopped_rank_is_told_as_such_and_only_a_warning_by_default(logged_server, new_session, tmp_path):
    folder = str(tmp_path)

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        if context.partitionId() == 1:
            publish(folder, "stopped")
            os.kill(os.getpid(), signal.SIGSTOP)
        context.barrier()
        yield rows_of({"attempt": [context.attemptNumber()]})

    def let_go_on():
        wait_until(lambda: len(events_of(tmp_path / "log", "RankStacks")) == 2, 30, "the stacks of the ranks")
        os.kill(int((tmp_path / "stopped").read_text()), signal.SIGCONT)

    thread = threading.Thread(target=let_go_on)
    thread.start()
    answer = gang(new_session(logged_server.remote), 2, run, "attempt long").collect()
    thread.join(30)
    assert [row.attempt for row in answer] == [0, 0]
    seen = {event["rank"]: event for event in events_of(tmp_path / "log", "RankStacks")}
    missing = events_of(tmp_path / "log", "RanksMissing")
    assert (seen[1]["state"], seen[1]["stacks"]) == ("stopped", "")
    assert "in barrier" in seen[0]["stacks"]
    assert [(event["ranks"], event["policy"]) for event in missing] == [("1", "warn")]


@pytest.mark.deuteron
@pytest.mark.parametrize("key, value", [("timeLimit", "soon"), ("backoff", "-1"), ("hang.policy", "shrug"), ("hang.factor", "x")])
def test_a_setting_that_cannot_be_taken_is_refused(new_session, key, value):
    with pytest.raises(PySparkException, match="INVALID_CONF_VALUE"):
        new_session().conf.set(f"spark.deuteron.gang.{key}", value)


def test_a_failing_gang_does_not_hang(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        if BarrierTaskContext.get().partitionId() == 0:
            raise RuntimeError("rank 0 fails")
        BarrierTaskContext.get().barrier()
        yield rows_of({"x": [1]})

    start = time.time()
    with pytest.raises(PySparkException, match="rank 0 fails|Could not recover from a failed barrier"):
        gang(spark, 2, run, "x long").collect()
    assert time.time() - start < 30
    assert spark.range(3).count() == 3


@pytest.mark.deuteron
def test_a_rank_that_ends_without_the_barrier_does_not_hang(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        if BarrierTaskContext.get().partitionId() == 0:
            BarrierTaskContext.get().barrier()
        yield rows_of({"x": [1]})

    start = time.time()
    with pytest.raises(PySparkException):
        gang(spark, 2, run, "x long").collect()
    assert time.time() - start < 30


@pytest.mark.deuteron
def test_barrier_meets_all_gather(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        context.barrier() if context.partitionId() else context.allGather("x")
        yield rows_of({"x": [1]})

    with pytest.raises(PySparkException):
        gang(spark, 2, run, "x long").collect()
    assert spark.range(3).count() == 3


@pytest.mark.deuteron  # Apache Spark asks again for ten minutes
def test_an_impossible_gang_is_refused_at_once(spark):
    def identity(batches):
        yield from batches

    start = time.time()
    with pytest.raises(PySparkException) as caught:
        gang(spark, 1000, identity, "id long").collect()
    assert time.time() - start < 2
    assert "1000" in str(caught.value) and "slot" in str(caught.value).lower()
    assert spark.range(3).count() == 3


def test_a_plain_function_after_a_failed_gang_is_not_in_a_gang(spark):
    def fail(batches):
        raise ValueError("no")
        yield

    with pytest.raises(PySparkException):
        gang(spark, 2, fail, "x long").collect()

    def plain(batches):
        from pyspark import BarrierTaskContext, TaskContext

        list(batches)
        yield rows_of({"barrier": [isinstance(TaskContext.get(), BarrierTaskContext)]})

    answer = spark.range(0, 2, 1, 2).mapInArrow(plain, "barrier boolean").collect()
    assert [row.barrier for row in answer] == [False, False]


@pytest.mark.deuteron
def test_results_of_a_failed_attempt_do_not_count(spark):
    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        context = BarrierTaskContext.get()
        yield rows_of({"attempt": [context.attemptNumber()] * 10})
        context.barrier()
        if context.attemptNumber() == 0 and context.partitionId() == 0:
            raise ValueError("after the output")
        yield rows_of({"attempt": [context.attemptNumber()] * 10})

    answer = gang(spark, 2, run, "attempt long").collect()
    assert [row.attempt for row in answer] == [1] * 40


def test_interrupted_gang_ends_its_ranks(new_session, tmp_path):
    spark, folder = new_session(), str(tmp_path)

    def run(batches):
        from pyspark import BarrierTaskContext

        list(batches)
        publish(folder, str(BarrierTaskContext.get().partitionId()))
        time.sleep(60)
        yield rows_of({"x": [1]})

    def interrupt():
        wait_until(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists(), 30, "both ranks run")
        spark.interruptAll()

    thread = threading.Thread(target=interrupt)
    thread.start()
    start = time.time()
    with pytest.raises(PySparkException, match="OPERATION_CANCELED|cancel"):
        gang(spark, 2, run, "x long").collect()
    thread.join(30)
    assert time.time() - start < 40
    processes = [int((tmp_path / rank).read_text()) for rank in "01"]
    wait_until(lambda: not any(sleeps(process) for process in processes), 10, "the ranks end")
    assert spark.range(3).count() == 3


def sleeps(process):
    """Is the process still in the function's time.sleep?"""
    try:
        with open(f"/proc/{process}/wchan") as channel:
            return "nanosleep" in channel.read()
    except OSError:
        return False


@pytest.mark.deuteron
def test_ranks_in_which_tensorflow_has_run_are_not_used_again(spark):
    """Its runtime joins one cluster in the life of a process."""

    def use_tensorflow(batches):
        import sys
        import types

        sys.modules["tensorflow.python.eager.context"] = types.SimpleNamespace(_context="a runtime")
        list(batches)
        yield rows_of({"process": [os.getpid()]})

    first, second = ({row.process for row in gang(spark, 2, use_tensorflow, "process long").collect()} for _ in range(2))
    assert len(first | second) == 4
