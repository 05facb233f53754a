"""gpus_per_rank: each rank has GPUs of its own, and sees no others. A discovery script stands for the GPUs."""

import os
import sys

import pytest
from deuteron.gang import gang
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from tests.gang.conftest import require_spark
from tests.oracle.spark_server import SparkServer

DISCOVERY = """#!/bin/sh
echo '{"name": "gpu", "addresses": ["4", "7"]}'
"""


@gang(ranks=2, gpus_per_rank=1)
def look(context, data):
    return context.gpus, os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.fixture
def discovery(tmp_path):
    script = tmp_path / "gpus.sh"
    script.write_text(DISCOVERY)
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def by_value(request):
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


def test_on_spark(discovery, by_value):
    """With executors of their own: a profile of task resources is not for Spark's local mode."""
    require_spark()
    settings = {"spark.executor.memory": "512m"}
    for owner in ("worker", "executor"):
        settings[f"spark.{owner}.resource.gpu.amount"] = "2"
        settings[f"spark.{owner}.resource.gpu.discoveryScript"] = discovery
    with SparkServer(master="local-cluster[1,2,1024]", worker_python=sys.executable, settings=settings) as server:
        session = SparkSession.builder.remote(server.remote).create()
        type(session)._active_session.session = session  # which makes the profile
        assert sorted(look(session.range(2))) == [(["4"], "4"), (["7"], "7")]
        session.stop()
