"""Gangs on Deuteron and on Apache Spark itself: what arrives, what comes back, and what a lost rank costs."""

import os
import signal

import pytest
from deuteron.gang import gang
from pyspark import cloudpickle
from pyspark.sql import functions as F

from tests.gang import programs
from tests.gang.programs import learner, points

pytest.importorskip("torch")
cloudpickle.register_pickle_by_value(programs)


def test_arguments_rows_and_results_of_any_size(session):
    @gang(ranks=2)
    def count(context, data, *, label):
        names = [name for batch in data for name in batch.column("name").to_pylist()]
        rows = context.all_gather(len(names))
        return label, context.rank, context.ranks, rows, names, bytes([context.rank]) * 9_000_000

    frame = session.range(0, 11, 1, 3).select(F.concat(F.lit("n"), "id").alias("name"))
    first, second = count(frame, label={"a": 1})
    assert first[:3] == ({"a": 1}, 0, 2) and second[:3] == ({"a": 1}, 1, 2)
    assert first[3] == second[3] == [len(first[4]), len(second[4])]
    assert sorted(first[4] + second[4]) == sorted(f"n{number}" for number in range(11))
    assert (first[5], second[5]) == (bytes(9_000_000), b"\1" * 9_000_000)


def test_rows_are_those_of_the_key_and_in_its_order(session):
    @gang(ranks=2, format="numpy", key="id")
    def rows(context, data):
        return [int(row) for batch in data for row in batch["id"]]

    found = rows(session.range(0, 100, 1, 3).orderBy(F.col("id").desc()))
    assert all(ranks == sorted(ranks) for ranks in found)
    assert sorted(found[0] + found[1]) == list(range(100))
    assert found == rows(session.range(0, 100, 1, 7))


def test_a_lost_rank_goes_on_at_the_next_batch_and_the_result_is_the_same_to_the_bit(session, tmp_path):
    def kill(context, epoch, number):
        if context.rank == 1 and (epoch, number) == (1, 4):
            os.kill(os.getpid(), signal.SIGKILL)

    undisturbed = learner(str(tmp_path / "a"))(points(session))
    assert [result["first"] for result in undisturbed] == [(0, 0)] * 2
    assert undisturbed[0]["loss"] < undisturbed[0]["first loss"] / 2
    disturbed = learner(str(tmp_path / "b"))(points(session), fail=kill)
    assert [result["first"] for result in disturbed] == [(1, 3)] * 2  # saved behind (1, 2)
    assert [result["weights"] for result in disturbed] == [result["weights"] for result in undisturbed]
    assert undisturbed[0]["weights"] == undisturbed[1]["weights"]
