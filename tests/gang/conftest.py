"""Servers of two kinds for the tests of deuteron.gang: it must run on any that speaks Spark Connect."""

import shutil
import sys
from pathlib import Path

import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT)]

from deuteron.testing import *  # noqa: E402, F403
from tests.oracle.spark_server import SparkServer, find_spark_python  # noqa: E402


def require_spark():
    """Skips the test where Apache Spark is not installed."""
    try:
        find_spark_python()
    except FileNotFoundError as absent:
        pytest.skip(str(absent))
    if shutil.which("java") is None:
        pytest.skip("no java: run `tools/setup peers`")


@pytest.fixture(scope="session")
def spark_remote():
    """The address of Apache Spark itself. Its workers know nothing of this repository."""
    require_spark()
    with SparkServer(worker_python=sys.executable) as server:
        yield server.remote


@pytest.fixture(params=["deuteron", "spark"])
def session(request):
    """A session of either server."""
    if request.param == "deuteron":
        yield request.getfixturevalue("deuteron_session")
        return
    session = SparkSession.builder.remote(request.getfixturevalue("spark_remote")).create()
    type(session)._active_session.session = session
    cloudpickle.register_pickle_by_value(request.module)
    yield session
    cloudpickle.unregister_pickle_by_value(request.module)
    session.stop()
