"""pytest fixtures for programs that train inside Spark: what does my program do when a rank dies, hangs or is slow?

    from deuteron.testing import *  # in conftest.py, or in the test's own file

    def test_training_survives_a_killed_rank(deuteron_session, kill_rank):
        kill_rank(1, barriers=1)
        assert train(deuteron_session) == EXPECTED

docs/testing-failures.md tells the rest. Needs pytest and PySpark's client; the server is `deuteron` on the PATH, or
$DEUTERON_BINARY.
"""

from deuteron.testing.fixtures import (
    deuteron_server,
    deuteron_server_options,
    deuteron_session,
    hang_rank,
    kill_rank,
    slow_rank,
)

__all__ = ["deuteron_server", "deuteron_server_options", "deuteron_session", "hang_rank", "kill_rank", "slow_rank"]
