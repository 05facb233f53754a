"""How ranks become a process group of torch.distributed without a race for a port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deuteron.gang.context import Context

_GLOO_INTERFACE = "GLOO_SOCKET_IFNAME"


def default_backend(gpus: list[str]) -> str:
    import torch

    return "cpu:gloo,cuda:nccl" if gpus and torch.cuda.is_available() else "gloo"


def init_process_group(context: Context, hosts: list[str], backend: str, timeout: float) -> None:
    """`hosts`: the machine of each rank. Rank 0 opens its store on a port that the system chooses, and then says which it is."""
    from torch import distributed

    one_machine = len(set(hosts)) == 1
    host = "127.0.0.1" if one_machine else hosts[0]
    wait = timedelta(seconds=timeout)
    store = None
    if context.rank == 0:
        store = distributed.TCPStore(host, 0, context.ranks, is_master=True, timeout=wait, wait_for_workers=False)
    port = context.all_gather(store.port if store else None)[0]
    if store is None:
        store = distributed.TCPStore(host, port, context.ranks, is_master=False, timeout=wait)
    with _loopback() if one_machine else nullcontext():
        distributed.init_process_group(backend, store=store, rank=context.rank, world_size=context.ranks, timeout=wait)


def destroy_process_group() -> None:
    from torch import distributed

    if distributed.is_initialized():  # the function may have done it
        distributed.destroy_process_group()


@contextmanager
def _loopback() -> Iterator[None]:
    """Gloo would look up the machine's name to find a network, which fails where the name is unknown."""
    before = os.environ.get(_GLOO_INTERFACE)
    os.environ.setdefault(_GLOO_INTERFACE, "lo")
    try:
        yield
    finally:
        if before is None:
            del os.environ[_GLOO_INTERFACE]  # the process may run ranks of another gang later
