"""PySpark's TorchDistributor, unmodified: a function, a file, a DataFrame; each rank a process of torchrun's own."""

import textwrap

import pytest

pytest.importorskip("torch")

from pyspark.ml.torch.distributor import TorchDistributor  # noqa: E402


def distributor(processes=2):
    return TorchDistributor(num_processes=processes, local_mode=False, use_gpu=False)


# What each rank runs, as a function or as a file: joins the others, tells the test, and in attempt 0 waits to be killed.
JOIN = """
import os, sys, time
import torch, torch.distributed

def join(folder):
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    attempt = [str(len([name for name in os.listdir(folder) if name.startswith("attempt-")]) // 2)]
    torch.distributed.broadcast_object_list(attempt)
    path = f"{folder}/attempt-{attempt[0]}-rank-{rank}"
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".part", path)
    if attempt[0] == "0":
        time.sleep(600)
    return rank

def sum_over_ranks(*values):
    total = torch.tensor(values)
    torch.distributed.all_reduce(total)
    torch.distributed.destroy_process_group()
    return total.tolist()
"""


def sum_of_ranks(program, factor, folder):
    names = {}
    exec(program, names)
    return names["sum_over_ranks"](factor * (names["join"](folder) + 1))


def test_a_function(deuteron_session, killed_once, tmp_path):
    killed_once(1)
    assert distributor().run(sum_of_ranks, JOIN, 10.0, str(tmp_path)) == [30.0]


def test_a_file(deuteron_session, killed_once, tmp_path):
    program = tmp_path / "train.py"
    program.write_text(JOIN + textwrap.dedent(
        """
        rank = join(sys.argv[1])
        open(f"{sys.argv[1]}/answer-{rank}", "w").write(str(sum_over_ranks(float(sys.argv[2]))))
        """
    ))  # fmt: skip
    killed_once(0)
    distributor().run(str(program), str(tmp_path), "1.5")
    assert [(tmp_path / f"answer-{rank}").read_text() for rank in range(2)] == ["[3.0]", "[3.0]"]


def rows_and_sum(program, folder):
    from pyspark.ml.torch.distributor import _get_spark_partition_data_loader

    names = {}
    exec(program, names)
    names["join"](folder)
    values = [number for batch in _get_spark_partition_data_loader(10, 4) for number in batch[0].tolist()]
    return names["sum_over_ranks"](float(len(values)), float(sum(values)))


def test_a_data_frame(deuteron_session, killed_once, tmp_path):
    killed_once(1)
    frame = deuteron_session.range(20, numPartitions=2)
    assert distributor()._train_on_dataframe(rows_and_sum, frame, JOIN, str(tmp_path)) == [20.0, 190.0]
