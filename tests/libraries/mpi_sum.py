"""An MPI program: sums what the ranks of the gang have left in the folder. mpirun starts it."""

import os
import sys
import time

import pyarrow
from mpi4py import MPI
from telling import tell

folder, attempt, told = sys.argv[1:]
world = MPI.COMM_WORLD
with pyarrow.memory_map(f"{folder}/part-{world.rank}.arrow") as file:
    values = pyarrow.ipc.open_file(file).read_all()["id"].to_pylist()
total = world.allreduce(sum(values))
tell(told, attempt, world.rank)
if attempt == "0":
    time.sleep(600)
if world.rank == 0:
    with open(os.path.join(folder, "total"), "w") as file:
        file.write(str(total))
