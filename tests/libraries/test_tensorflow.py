"""TensorFlow's MultiWorkerMirroredStrategy: the ranks tell each other their addresses, which become TF_CONFIG."""

import socket

import pyarrow
import pytest
from pyspark import BarrierTaskContext

from deuteron.testing.server import Server
from tests.libraries.conftest import REPOSITORY
from tests.libraries.telling import tell

PYTHON = REPOSITORY / "build/libraries/bin/python"
if not PYTHON.exists():
    pytest.skip("TensorFlow is not set up: run tools/setup libraries", allow_module_level=True)


@pytest.fixture(scope="module")
def deuteron_server(tmp_path_factory):
    """Its workers run in the environment that has TensorFlow. The client does not need it."""
    folder = tmp_path_factory.mktemp("deuteron")
    with Server(folder, "--slots", "4", environment={"PYSPARK_PYTHON": str(PYTHON)}) as server:
        yield server


def train(folder, wait):
    def rank(batches):
        import json
        import os
        import time

        context = BarrierTaskContext.get()
        table = pyarrow.Table.from_batches(batches)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        cluster = {"worker": context.allGather(address)}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": context.partitionId()}})
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        import tensorflow

        strategy = tensorflow.distribute.MultiWorkerMirroredStrategy()
        with strategy.scope():
            line = tensorflow.Variable([0.0, 0.0], aggregation=tensorflow.VariableAggregation.MEAN)
        x, y = tensorflow.constant(table["x"].to_numpy(), "float32"), tensorflow.constant(table["y"].to_numpy(), "float32")

        def descend():
            with tensorflow.GradientTape() as tape:
                loss = tensorflow.reduce_mean((line[0] * x + line[1] - y) ** 2)
            line.assign_sub(0.3 * tape.gradient(loss, line))  # the mean over all ranks

        step = tensorflow.function(lambda: strategy.run(descend))
        for number in range(100):
            step()
            if number == 10:
                tell(folder, context.attemptNumber(), context.partitionId())
                time.sleep(0 if context.attemptNumber() or not wait else 600)
        slope, offset = line.numpy().tolist()
        answer = {"attempt": [context.attemptNumber()], "slope": [slope], "offset": [offset]}
        yield pyarrow.RecordBatch.from_pydict(answer)

    return rank


def run(session, folder, wait=False):
    points = session.range(0, 200, 1, 2).selectExpr("id / 100 - 1 x", "3 * (id / 100 - 1) + 1 y")
    return points.mapInArrow(train(str(folder), wait), "attempt long, slope double, offset double", barrier=True).collect()


def test_ranks_train_one_model(deuteron_session, killed_once, tmp_path):
    killed_once(1)
    first, second = run(deuteron_session, tmp_path, wait=True)
    assert first == second and first.attempt == 1
    assert abs(first.slope - 3) < 0.01 and abs(first.offset - 1) < 0.01


def test_ranks_train_again_in_the_same_session(deuteron_session, tmp_path):
    assert [run(deuteron_session, tmp_path)[0].attempt for _ in range(2)] == [0, 0]
