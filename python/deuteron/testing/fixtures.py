"""The fixtures. A fault that a test asked for and that never came fails the test: it would show nothing."""

import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from deuteron.testing.faults import Hang, Kill, Slow
from deuteron.testing.server import Server


@pytest.fixture(scope="session")
def deuteron_server_options():
    """More options of `deuteron server`; define a fixture of this name to choose others."""
    return ["--slots", "4"]


@pytest.fixture(scope="session")
def deuteron_server(tmp_path_factory, deuteron_server_options):
    """A server (deuteron.testing.server.Server) for all tests of the run."""
    with Server(tmp_path_factory.mktemp("deuteron"), *deuteron_server_options) as server:
        yield server


@pytest.fixture
def deuteron_session(deuteron_server, request):
    """A SparkSession of the test's own. Ranks get the functions of the test's module by value: they cannot import it."""
    session = SparkSession.builder.remote(deuteron_server.remote).create()
    active = type(session)._active_session  # with which the client reads result types
    active.session = session
    cloudpickle.register_pickle_by_value(request.module)
    yield session
    cloudpickle.unregister_pickle_by_value(request.module)
    session.stop()


def make_faults(kind, server):
    made = []

    def make(rank, **place):
        made.append(kind(server, rank, **place))
        return made[-1]

    yield make
    for fault in made:
        fault.end()
    never = [f"{fault} ({fault.error or 'there was no such rank, or it did not come so far'})" for fault in made if not fault.happened]
    if never:
        pytest.fail("never happened: " + "; ".join(never))


@pytest.fixture
def kill_rank(deuteron_server, deuteron_session):
    """kill_rank(1, barriers=2): SIGKILL for rank 1 of the next gang when it has passed two barriers. Gives back a Fault."""
    yield from make_faults(Kill, deuteron_server)


@pytest.fixture
def hang_rank(deuteron_server, deuteron_session):
    """hang_rank(0): rank 0 stops and says nothing, until it is killed or the test ends."""
    yield from make_faults(Hang, deuteron_server)


@pytest.fixture
def slow_rank(deuteron_server, deuteron_session):
    """slow_rank(1, share=0.1): rank 1 gets a tenth of the time, until it ends."""
    yield from make_faults(Slow, deuteron_server)
