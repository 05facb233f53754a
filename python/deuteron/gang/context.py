"""What a rank knows of its gang, and how the ranks talk."""

from __future__ import annotations

import base64
import os
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark import cloudpickle

from deuteron.gang.checkpoints import Checkpoints
from deuteron.gang.process_group import default_backend, destroy_process_group, init_process_group

if TYPE_CHECKING:
    from deuteron.gang.rank import LocalTask
    from pyspark import BarrierTaskContext

# Where a gang's files survive its attempt; set by Deuteron.
_GANG_DIRECTORY = "DEUTERON_GANG_DIRECTORY"
_PREEMPTION = "deuteron.gang.preemption"


class Context:
    """The first argument of a gang's function. `barrier`, `all_gather`, `save`, `restore` and `init_process_group` are collective:
    all ranks call them, in the same order. When a rank dies instead, the server ends the others."""

    rank: int
    ranks: int
    attempt: int
    """Which attempt of the gang this is, as the server counts them: Deuteron from 0; Spark, which starts the stage again, always 0."""
    directory: Path | None
    """A folder that all ranks see and that survives the attempt; None where there is none."""
    gpus: list[str]
    """Addresses of the GPUs that are this rank's. CUDA sees only these, and counts them from 0."""

    def __init__(self, task: BarrierTaskContext | LocalTask, directory: str | None = None) -> None:
        self._task = task
        self.rank = task.partitionId()
        self.ranks = len(task.getTaskInfos())
        self.attempt = task.attemptNumber()
        folder = directory or os.environ.get(_GANG_DIRECTORY)
        self.directory = None if folder is None else Path(folder)
        self.gpus = list(task.resources()["gpu"].addresses) if "gpu" in task.resources() else []
        self._checkpoints = None if folder is None else Checkpoints(Path(folder), self)
        self._has_process_group = False

    def barrier(self) -> None:
        """Waits for all ranks."""
        self._task.barrier()

    def all_gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in their order. For small things: they travel as text through the server. Anything that pickles."""
        message = base64.b64encode(cloudpickle.dumps(value)).decode()
        return [pickle.loads(base64.b64decode(text)) for text in self._task.allGather(message)]

    @property
    def seconds_left(self) -> float | None:
        """How long until this attempt is ended to make way for another gang: time to save a checkpoint. None: nobody has said so.

        Asked anew each time, and ranks may learn it at different steps: before a `save` they have to agree, by `all_gather`.
        """
        left = self._task.getLocalProperty(_PREEMPTION)
        return None if left is None else float(left)

    def save(self, state: Any) -> None:
        """Saves a checkpoint: of each rank what it gives, anything that pickles. It counts when all ranks have written theirs, and
        replaces the one before. Without a `directory` nothing is saved, and a warning says so once."""
        if self._checkpoints is None:
            warnings.warn("nothing is saved: this server has no folder for gangs; give one with @gang(directory=…)", stacklevel=2)
        else:
            self._checkpoints.save(state)

    def restore(self) -> Any:
        """What this rank saved last, in this attempt or in one before it; None when there is nothing."""
        return None if self._checkpoints is None else self._checkpoints.restore()

    def init_process_group(self, backend: str | None = None, timeout: float = 1800.0) -> None:
        """torch.distributed.init_process_group for this gang; the group is destroyed when the function returns.

        `backend`: Gloo, and NCCL too for tensors on a GPU when the rank has one. `timeout`: in seconds, for meeting and for each
        collective operation. The port on which the ranks meet is held by rank 0 before anybody hears of it.
        """
        hosts = [info.address.rsplit(":", 1)[0] for info in self._task.getTaskInfos()]
        init_process_group(self, hosts, backend or default_backend(self.gpus), timeout)
        self._has_process_group = True

    def _finish(self) -> None:
        if self._has_process_group:
            destroy_process_group()
