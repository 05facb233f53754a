"""gpus_per_rank: each rank has GPUs of its own, and sees no others. A discovery script stands for the GPUs."""

import os
import sys

import pytest
from deuteron.gang import gang
from deuteron.testing.server import Server
from pyspark import cloudpickle
from pyspark.errors import UnsupportedOperationException
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


def settings_of(discovery):
    """Two GPUs of one machine, all of them its only executor's."""
    settings = {}
    for owner in ("worker", "executor"):
        settings[f"spark.{owner}.resource.gpu.amount"] = "2"
        settings[f"spark.{owner}.resource.gpu.discoveryScript"] = discovery
    return settings


def check(session):
    type(session)._active_session.session = session  # which makes the profile
    assert sorted(look(session.range(2))) == [(["4"], "4"), (["7"], "7")]


def test_on_deuteron(discovery, by_value, tmp_path):
    options = [part for key, value in settings_of(discovery).items() for part in ("--conf", f"{key}={value}")]
    with Server(tmp_path, "--slots", "2", *options) as server:
        session = SparkSession.builder.remote(server.remote).create()
        try:
            check(session)
        except UnsupportedOperationException as refused:
            pytest.skip(f"this server: {refused}")
        finally:
            session.stop()


def test_on_spark(discovery, by_value):
    """With executors of their own: a profile of task resources is not for Spark's local mode."""
    require_spark()
    settings = settings_of(discovery) | {"spark.executor.memory": "512m"}
    with SparkServer(master="local-cluster[1,2,1024]", worker_python=sys.executable, settings=settings) as server:
        session = SparkSession.builder.remote(server.remote).create()
        check(session)
        session.stop()
