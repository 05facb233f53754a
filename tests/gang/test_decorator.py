"""The decorator without a server: options, local runs, and what a resource profile asks for."""

import os

import pyarrow as pa
import pytest
from deuteron.gang import Context, Gang, gang
from deuteron.gang.rank import LocalTask, run_rank
from pyspark.resource import ResourceInformation

from tests.gang.ranks import run_ranks


@gang(ranks=2, format="numpy", batch_size=2, seed=1)
def total(context, data, factor, *, offset=0):
    """Adds up."""
    seen = sum(int(batch["x"].sum()) for batch in data.epoch(0))
    return context.rank, context.ranks, seen * factor + offset


def test_a_decorated_function_is_still_one():
    assert isinstance(total, Gang)
    assert (total.__name__, total.__doc__, total.__wrapped__) == ("total", "Adds up.", total.function)


@pytest.mark.parametrize("as_table", [True, False])
def test_local(as_table):
    table = pa.table({"x": [1, 2, 3, 4]})
    assert total.local(table if as_table else table.to_batches(1), 10, offset=5) == (0, 1, 105)


def test_local_has_a_folder_that_is_gone_afterwards():
    @gang(ranks=3)
    def folder(context, data):
        context.save(1)
        context.barrier()
        assert context.restore() == 1 and context.all_gather("a") == ["a"] and context.gpus == []
        return context.directory, context.directory.exists()

    path, existed = folder.local([])
    assert existed and not path.exists()


def test_local_process_groups_end_with_the_function():
    distributed = pytest.importorskip("torch.distributed")

    @gang(ranks=1)
    def fail(context, data):
        context.init_process_group()
        raise ZeroDivisionError(distributed.get_world_size())

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="1"):
            fail.local([])
        assert not distributed.is_initialized()


@pytest.mark.parametrize(
    "options,words",
    [
        ({"ranks": 0}, "ranks is 0"),
        ({"ranks": 1, "batch_size": 0}, "batch_size is 0"),
        ({"ranks": 1, "seed": -1}, "seed is -1"),
        ({"ranks": 1, "gpus_per_rank": -1}, "gpus_per_rank is -1"),
        ({"ranks": 1, "format": "pandas"}, "format is 'pandas': it must be one of 'arrow', 'numpy', 'torch'"),
        ({"ranks": 1, "remainder": "keep"}, "remainder is 'keep'"),
        ({"ranks": 1, "key": "id", "repartition": False}, "key distributes the rows"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(ValueError, match=words):
        gang(**options)


def test_what_is_asked_of_the_server(monkeypatch):
    """By the messages of Spark Connect: the profile, and the stage that has its number."""

    @gang(ranks=2, gpus_per_rank=0.5, resources={"fpga": 2})
    def nothing(context, data):
        pass

    class Client:
        def _create_profile(self, profile):
            assert not profile.executor_resources
            assert {name: request.amount for name, request in profile.task_resources.items()} == {"gpu": 0.5, "fpga": 2}
            return 17

    session = type("Session", (), {"client": Client(), "getActiveSession": lambda: session})
    monkeypatch.setattr("pyspark.sql.connect.session.SparkSession", session)
    assert nothing._profile().id == 17
    assert total._profile() is None


def test_gpus_are_those_of_the_task(monkeypatch):
    class Task(LocalTask):
        def resources(self):
            return {"gpu": ResourceInformation("gpu", ["3", "5"])}

    @gang(ranks=1, gpus_per_rank=2)
    def look(context, data):
        return context.gpus, os.environ["CUDA_VISIBLE_DEVICES"]

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5")
    assert run_rank(look.function, Context(Task()), [], (), {}, look.options) == (["3", "5"], "3,5")


def test_a_notice_is_the_time_that_remains():
    class Task(LocalTask):
        def getLocalProperty(self, key):
            return {"deuteron.gang.preemption": "1.250"}.get(key)

    assert Context(Task()).seconds_left == 1.25
    assert Context(LocalTask()).seconds_left is None


def test_values_of_any_kind_are_gathered():
    values = run_ranks(3, lambda context: context.all_gather({"rank": context.rank, "bytes": bytes(range(256))}))
    assert values == [[{"rank": rank, "bytes": bytes(range(256))} for rank in range(3)]] * 3
