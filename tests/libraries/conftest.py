"""Libraries for distributed training, unmodified, in gangs: each with a rank that is killed. docs/libraries.md shows how to use them."""

import sys
from pathlib import Path

import pytest
from pyspark import cloudpickle

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "python"), str(REPOSITORY)]

from deuteron.testing import *  # noqa: E402, F403

from tests.libraries import telling  # noqa: E402

cloudpickle.register_pickle_by_value(telling)  # workers cannot import it


@pytest.fixture
def killed_once(kill_rank, deuteron_server, tmp_path):
    """killed_once(1): rank 1 of attempt 0 dies when `tmp_path` has a file from each of two ranks: see `tell`. Nothing of attempt 0 is
    left running when the test ends."""
    faults = []

    def make(rank, ranks=2):
        told = [tmp_path / f"attempt-0-rank-{number}" for number in range(ranks)]
        faults.append(kill_rank(rank, when=lambda: all(path.exists() for path in told)))
        return faults[-1]

    yield make
    for path in tmp_path.glob("attempt-0-rank-*"):
        assert not is_running(int(path.read_text())), f"left running: {path.name}"


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
