"""Fixtures of the tests that talk to a server through the stock PySpark client.

    pytest tests/pyspark                        starts build/bin/deuteron (or $DEUTERON_BINARY), one server per test process
    pytest tests/pyspark --target spark         starts Apache Spark instead: does the test tell the truth?
    pytest tests/pyspark --target sc://H:P      uses a server that runs already
"""

import logging
import os
import sys
import time
from pathlib import Path

os.environ["TZ"] = "UTC"
time.tzset()
sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__  # in a process of xdist the client would think that it runs its doctests

import gang_programs  # noqa: E402
import pytest  # noqa: E402
from deuteron_server import DeuteronServer  # noqa: E402
from pyspark import cloudpickle  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: E402

for noisy in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "pyspark.sql.connect.logging"):
    logging.getLogger(noisy).setLevel(logging.CRITICAL)


def pytest_addoption(parser):
    parser.addoption("--target", default="deuteron", help="deuteron, spark, or the address of a server: sc://...")
    parser.addoption("--record-differences", action="store_true", help="write tests/oracle/differences.txt anew")
    parser.addoption("--nullability", action="store_true", help="compare the nullability of recorded columns too")


DIFFERENCES_FOUND = pytest.StashKey()  # of (answered differently, not refused; the case)
REFUSED = "# refused, with an error that names the feature\n"
ANSWERED_DIFFERENTLY = "# answered differently: last digits, order of rows, details of errors, and open work\n"


def pytest_sessionfinish(session):
    if session.config.getoption("--record-differences", False):
        found = session.config.stash[DIFFERENCES_FOUND]
        refused, different = (sorted(line for differs, line in found if differs is kind) for kind in (False, True))
        text = REFUSED + "".join(line + "\n" for line in refused) + "\n" + ANSWERED_DIFFERENTLY + "".join(line + "\n" for line in different)
        (Path(__file__).resolve().parents[1] / "oracle/differences.txt").write_text(text)


def pytest_configure(config):
    config.stash[DIFFERENCES_FOUND] = []
    config.addinivalue_line("markers", "deuteron: says nothing about Apache Spark; skipped with another --target")
    config.addinivalue_line("markers", "heavy: takes seconds, or much memory")


def pytest_collection_modifyitems(config, items):
    here = Path(__file__).parent
    items = [item for item in items if here in item.path.parents]
    for module in {gang_programs} | {item.module for item in items}:
        cloudpickle.register_pickle_by_value(module)  # workers cannot import the tests
    if config.getoption("--target", "deuteron") == "deuteron":
        return
    for item in items:
        if item.get_closest_marker("deuteron"):
            item.add_marker(pytest.mark.skip(reason="tests Deuteron only"))


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    """The server of this test process. Tests that harm a server start their own one with `DeuteronServer`."""
    target = request.config.getoption("--target", "deuteron")
    if target == "deuteron":
        with DeuteronServer(tmp_path_factory.mktemp("server")) as running:
            yield running
    elif target == "spark":
        from oracle.spark_server import SparkServer

        with SparkServer(worker_python=sys.executable) as running:
            yield running
    else:
        yield type("RunningServer", (), {"remote": target, "process": None})()


@pytest.fixture
def logged_server(tmp_path):
    """A server of two slots with an event log in `log`. Comes before `new_session` in a test, so that it ends after its
    sessions."""
    with DeuteronServer(tmp_path, "--slots", "2", "--event-log", str(tmp_path / "log")) as server:
        yield server


@pytest.fixture
def remote(server):
    return server.remote


@pytest.fixture
def new_session(remote):
    """Makes sessions of their own; they are closed at the end of the test."""
    made = []

    def make(address=None):
        made.append(connect(address or remote))
        make_active(made[-1])
        return made[-1]

    yield make
    for session in made:
        close(session)


@pytest.fixture
def spark(server):
    """A session that lasts as long as the server is well: one test that ends or blocks it must not fail all others."""
    if getattr(server, "suspect", False) or (server.process is not None and server.process.poll() is not None):
        server.suspect = False
        server.restart()
        server.session = None
    if getattr(server, "session", None) is None:
        server.session = connect(server.remote)
    make_active(server.session)
    return server.session


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(server, DeuteronServer):
        server.suspect = call.excinfo is not None and "Timeout" in str(call.excinfo.value)
        ended = "" if server.process is None else server.process.poll()
        report.sections.append(("server", f"exit status {ended}\n{server.log()[-2000:]}"))


def connect(remote):
    """A session whose client gives up within seconds, not minutes, when its server is gone."""
    session = SparkSession.builder.remote(remote).create()
    session.client.set_retry_policies([DefaultPolicy(max_retries=4, initial_backoff=100, max_backoff=1000)])
    make_active(session)
    return session


def make_active(session):
    """The client parses the result types of functions with its active session."""
    type(session)._active_session.session = session


def close(session):
    """Ends a session without the client's minutes of retries when its server is gone."""
    try:
        session.client.release_session()
    except Exception as error:  # a test may have ended the session or the server
        logging.info("release_session: %s", error)
    session.client.close()
