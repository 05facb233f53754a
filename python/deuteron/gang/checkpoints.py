"""What a gang saves so that its next attempt need not begin again: one file per rank, and all of them or none.

    FOLDER/generation-000002/000017.rank-3-of-4     the 17th checkpoint of an attempt, which opened generation 2

An attempt opens a generation of its own. A rank that outlives its attempt writes into an older one, where it can harm nobody: the
newest generation with a whole checkpoint counts.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark import cloudpickle

if TYPE_CHECKING:
    from deuteron.gang.context import Context


class Checkpoints:
    """`save` and `restore` are collective: all ranks call them, in the same order."""

    def __init__(self, folder: Path, context: Context) -> None:
        self._folder = folder
        self._context = context
        self._generation: Path | None = None
        self._number = 0  # of the checkpoints of this attempt
        self._newest: Path | None = None  # this rank's file

    def save(self, state: Any) -> None:
        """When it returns, the state of each rank is there. Only then what was saved before is removed."""
        generation = self._open()
        self._number += 1
        path = generation / _file_name(self._number, self._context.rank, self._context.ranks)
        part = path.with_name(path.name + ".part")
        with open(part, "wb") as file:
            cloudpickle.dump(state, file)
        os.rename(part, path)
        self._context.barrier()
        if self._newest is not None and self._newest.parent == generation:
            self._newest.unlink()
        elif self._context.rank == 0:
            for older in _generations(self._folder):
                if older.name < generation.name:
                    shutil.rmtree(older, ignore_errors=True)
        self._newest = path

    def restore(self) -> Any:
        """What this rank gave to the newest `save` that all ranks had finished; None if there was none."""
        self._open()
        if self._newest is None:
            return None
        with open(self._newest, "rb") as file:
            return cloudpickle.load(file)

    def _open(self) -> Path:
        """The first time, rank 0 decides where to write and from what to go on, and tells the others."""
        if self._generation is None:
            decision = None
            if self._context.rank == 0:
                newest = _newest_whole(self._folder, self._context.ranks)
                decision = _new_generation(self._folder).name, newest
            generation, newest = self._context.all_gather(decision)[0]
            self._generation = self._folder / generation
            if newest is not None:
                older, number = newest
                self._newest = self._folder / older / _file_name(number, self._context.rank, self._context.ranks)
        return self._generation


def _file_name(number: int, rank: int, ranks: int) -> str:
    return f"{number:06d}.rank-{rank}-of-{ranks}"


def _generations(folder: Path) -> list[Path]:
    return sorted(folder.glob("generation-*"))


def _new_generation(folder: Path) -> Path:
    """Made by nobody else: a folder can be made once."""
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name.split("-")[1]) for path in _generations(folder)), default=0)
    while True:
        number += 1
        path = folder / f"generation-{number:06d}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue


def _newest_whole(folder: Path, ranks: int) -> tuple[str, int] | None:
    """(generation, number) of the newest checkpoint of which each of so many ranks has left its file."""
    for generation in reversed(_generations(folder)):
        names = {path.name for path in generation.iterdir()}
        numbers = sorted({int(name.split(".")[0]) for name in names}, reverse=True)
        for number in numbers:
            if all(_file_name(number, rank, ranks) in names for rank in range(ranks)):
                return generation.name, number
    return None
