"""What runs inside the workers: the network, one rank of its training, and its use. Sent to them by value.

A rank meets the others through PySpark's barrier only to agree on an address; everything else is PyTorch's own.
The checkpoint folder is how an attempt learns from the one before it, and how the outside sees what happens:

    epoch-0007.pt      model, optimiser and schedule after epoch 7 (the newest one counts)
    metrics.jsonl      a line per epoch, from rank 0
    rank-1-of-2.attempt-0.json     who runs this rank
"""

import json
import os
import socket
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path

ROW_SCHEMA = ("attempt int, rank int, process long, epoch int, resumed_from int, images long, loss double, "
              "accuracy double, seconds double")


@dataclass(frozen=True)
class Settings:
    folder: str
    ranks: int = 2
    epochs: int = 14
    seed: int = 1
    batch: int = 64  # images per step, all ranks together
    rate: float = 6e-3
    threads: int = 1  # of PyTorch, in each rank


# --- the network -----------------------------------------------------------------------------------------------------


def build_network():
    from torch import nn

    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(*block(1, 24), *block(24, 48), nn.MaxPool2d(2), *block(48, 64), nn.Flatten(),
                         nn.Dropout(0.3), nn.Linear(64 * 4 * 4, 10))


def distort(images, generator):
    """Turns, scales, shears and moves each image a little: nobody writes a digit twice in the same way."""
    import torch
    from torch.nn import functional

    def around_zero(width, *shape):
        return (torch.rand(*shape, generator=generator) - 0.5) * width

    count = len(images)
    angle, scale, shear = around_zero(0.5, count), 1 + around_zero(0.25, count), around_zero(0.4, count)
    move = around_zero(0.4, count, 2)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cosine, shear - sine, move[:, 0]], 1), torch.stack([sine, cosine, move[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), images.shape, align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def tensors(table):
    """An Arrow table with the columns label, p0 ... p63 -> images (n, 1, 8, 8) and labels."""
    import numpy
    import torch

    pixels = numpy.stack([table.column(f"p{index}").to_numpy() for index in range(64)], axis=1)
    images = torch.from_numpy(pixels.astype(numpy.float32)).reshape(-1, 1, 8, 8)
    return images, torch.from_numpy(table.column("label").to_numpy().astype(numpy.int64))


# --- training --------------------------------------------------------------------------------------------------------


def rank_function(settings: Settings):
    """The function for mapInArrow(..., barrier=True): its partition is the rank's share of the images."""

    def run(batches):
        import pyarrow

        table = pyarrow.Table.from_batches(batches).sort_by("id")  # the order in which rows arrive must not matter
        rows = train_rank(settings, table)
        yield pyarrow.RecordBatch.from_pylist(rows, pyarrow.schema([
            ("attempt", pyarrow.int32()), ("rank", pyarrow.int32()), ("process", pyarrow.int64()),
            ("epoch", pyarrow.int32()), ("resumed_from", pyarrow.int32()), ("images", pyarrow.int64()),
            ("loss", pyarrow.float64()), ("accuracy", pyarrow.float64()), ("seconds", pyarrow.float64())]))

    return run


def train_rank(settings: Settings, table) -> list:
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    rank, attempt = context.partitionId(), context.attemptNumber()
    publish_rank(settings, rank, attempt)
    import torch
    from torch import distributed

    torch.set_num_threads(settings.threads)
    images, labels = tensors(table)
    counts = [int(count) for count in context.allGather(str(len(labels)))]
    join_process_group(context, rank, settings.ranks)
    try:
        return train_epochs(settings, rank, attempt, images, labels, min(counts))
    finally:
        distributed.destroy_process_group()


def join_process_group(context, rank: int, ranks: int):
    """Rank 0 opens a store on a port that the system chooses and tells the others where it is."""
    from datetime import timedelta

    from torch import distributed

    hosts = [info.address.rsplit(":", 1)[0] for info in context.getTaskInfos()]
    on_one_machine = len(set(hosts)) == 1
    if on_one_machine:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    host = "127.0.0.1" if on_one_machine else socket.gethostname()
    wait = timedelta(seconds=60)
    store = None
    if rank == 0:
        store = distributed.TCPStore("0.0.0.0" if not on_one_machine else host, 0, ranks, is_master=True,
                                     timeout=wait, wait_for_workers=False)
    address = context.allGather(f"{host}:{store.port}" if store else "")[0]
    if store is None:
        host, port = address.rsplit(":", 1)
        store = distributed.TCPStore(host, int(port), ranks, is_master=False, timeout=wait)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=ranks, timeout=wait)


def train_epochs(settings, rank, attempt, images, labels, common_count) -> list:
    """Trains from the newest checkpoint to the last epoch; gives back a row per epoch."""
    import torch
    from torch import distributed
    from torch.nn import functional
    from torch.nn.parallel import DistributedDataParallel

    torch.manual_seed(settings.seed)
    network = build_network()
    share = settings.batch // settings.ranks
    steps = common_count // share
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate / 2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=settings.epochs * steps)
    first = load_checkpoint(settings, network, optimiser, schedule)
    model = DistributedDataParallel(network)
    rows = []
    for epoch in range(first + 1, settings.epochs + 1):
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch * 101 + rank)
        torch.manual_seed(settings.seed * 7 + epoch * 1009 + rank)  # dropout: the same after a restart
        order = torch.randperm(len(labels), generator=generator)
        totals = torch.zeros(3, dtype=torch.float64)
        model.train()
        for step in range(steps):
            chosen = order[step * share:(step + 1) * share]
            scores = model(distort(images[chosen], generator))
            loss = functional.cross_entropy(scores, labels[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            right = (scores.argmax(1) == labels[chosen]).sum().item()
            totals += torch.tensor([loss.item() * share, right, share], dtype=torch.float64)
        distributed.all_reduce(totals)
        row = {"attempt": attempt, "rank": rank, "process": os.getpid(), "epoch": epoch, "resumed_from": first,
               "images": len(labels), "loss": (totals[0] / totals[2]).item(), "accuracy": (totals[1] / totals[2]).item(),
               "seconds": time.perf_counter() - start}
        rows.append(row)
        if rank == 0:
            save_checkpoint(settings, epoch, network, optimiser, schedule)
            append_metrics(settings, row)
    distributed.barrier()
    return rows or [{"attempt": attempt, "rank": rank, "process": os.getpid(), "epoch": first, "resumed_from": first,
                     "images": len(labels), "loss": 0.0, "accuracy": 0.0, "seconds": 0.0}]


# --- the checkpoint folder -------------------------------------------------------------------------------------------


def write_atomically(path: Path, write):
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    os.replace(temporary, path)


def save_checkpoint(settings, epoch, network, optimiser, schedule):
    import torch

    state = {"epoch": epoch, "network": network.state_dict(), "optimiser": optimiser.state_dict(),
             "schedule": schedule.state_dict()}
    path = Path(settings.folder) / f"epoch-{epoch:04d}.pt"
    write_atomically(path, lambda temporary: torch.save(state, temporary))
    for old in sorted(Path(settings.folder).glob("epoch-*.pt"))[:-2]:
        old.unlink()


def load_checkpoint(settings, network, optimiser, schedule) -> int:
    """Loads the newest checkpoint and gives back its epoch; 0 if there is none."""
    import torch

    found = sorted(Path(settings.folder).glob("epoch-*.pt"))
    if not found:
        return 0
    state = torch.load(found[-1], weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return state["epoch"]


def publish_rank(settings, rank, attempt):
    path = Path(settings.folder) / f"rank-{rank}-of-{settings.ranks}.attempt-{attempt}.json"
    text = json.dumps({"rank": rank, "attempt": attempt, "process": os.getpid()})
    write_atomically(path, lambda temporary: temporary.write_text(text))


def read_ranks(folder: Path) -> dict:
    """{attempt: {rank: process}}"""
    found = {}
    for path in Path(folder).glob("rank-*.attempt-*.json"):
        entry = json.loads(path.read_text())
        found.setdefault(entry["attempt"], {})[entry["rank"]] = entry["process"]
    return found


def append_metrics(settings, row):
    with open(Path(settings.folder) / "metrics.jsonl", "a") as metrics:
        metrics.write(json.dumps(row) + "\n")


def read_metrics(folder: Path) -> list:
    path = Path(folder) / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


# --- inference -------------------------------------------------------------------------------------------------------


def predict_function(settings: Settings):
    """The function for mapInPandas: adds what the network thinks. The network is loaded once per process."""

    def run(frames):
        import torch

        network, loads = load_network_once(settings)
        for frame in frames:
            pixels = frame[[f"p{index}" for index in range(64)]].to_numpy(dtype="float32")
            with torch.inference_mode():
                chances = network(torch.from_numpy(pixels).reshape(-1, 1, 8, 8)).softmax(1)
            best = chances.max(1)
            answer = frame[["id", "label"]].copy()
            answer["prediction"] = best.indices.numpy().astype("int32")
            answer["confidence"] = best.values.numpy().astype("float64")
            answer["process"] = os.getpid()
            answer["model_loads"] = loads
            yield answer

    return run


def load_network_once(settings: Settings):
    """The network, and how often this process has loaded it. Functions come by value and anew for each task, so what is to
    outlive a task is kept in a module of its own."""
    import torch

    kept = sys.modules.setdefault("digits_kept", types.ModuleType("digits_kept")).__dict__
    newest = str(sorted(Path(settings.folder).glob("epoch-*.pt"))[-1])
    key = (newest, os.stat(newest).st_mtime_ns)
    loads = kept.setdefault("loads", {})
    if kept.get("key") != key:
        torch.set_num_threads(settings.threads)
        network = build_network()
        network.load_state_dict(torch.load(newest, weights_only=True)["network"])
        kept.update(key=key, network=network.eval())
        loads[key] = loads.get(key, 0) + 1
    return kept["network"], loads[key]
