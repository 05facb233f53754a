"""PySpark's TorchDistributor, unmodified: a function, a file, a DataFrame; each rank a process of torchrun's own."""

import os
import textwrap

import pytest

pytest.importorskip("torch")

from pyspark.ml.torch.distributor import TorchDistributor  # noqa: E402


def distributor(processes=2):
    return TorchDistributor(num_processes=processes, local_mode=False, use_gpu=False)


def sum_of_ranks(factor, folder):
    """The factor times 1 + 2 + … over the ranks. Rank 1 fails when it is run for the first time."""
    import torch
    import torch.distributed

    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    open(os.path.join(folder, f"{rank}-{os.getpid()}"), "w").close()
    if rank == 1 and len([name for name in os.listdir(folder) if name.startswith("1-")]) == 1:
        raise RuntimeError("rank 1 is lost")
    value = torch.tensor([float(rank + 1)])
    torch.distributed.all_reduce(value)
    torch.distributed.destroy_process_group()
    return value.item() * factor


@pytest.mark.deuteron
def test_a_function_whose_rank_fails_once(spark, tmp_path):
    assert distributor().run(sum_of_ranks, 10.0, str(tmp_path)) == 30.0
    runs = [name.split("-")[0] for name in os.listdir(tmp_path)]
    assert runs.count("1") == 2


@pytest.mark.deuteron
def test_a_file(spark, tmp_path):
    program = tmp_path / "train.py"
    program.write_text(
        textwrap.dedent(
            """
            import sys

            import torch
            import torch.distributed

            torch.distributed.init_process_group("gloo")
            value = torch.tensor([float(sys.argv[2])])
            torch.distributed.all_reduce(value)
            open(f"{sys.argv[1]}/answer-{torch.distributed.get_rank()}", "w").write(str(value.item()))
            torch.distributed.destroy_process_group()
            """
        )
    )
    distributor().run(str(program), str(tmp_path), "1.5")
    assert [(tmp_path / f"answer-{rank}").read_text() for rank in range(2)] == ["3.0", "3.0"]


def rows_and_sum():
    import torch
    import torch.distributed
    from pyspark.ml.torch.distributor import _get_spark_partition_data_loader

    torch.distributed.init_process_group("gloo")
    values = [number for batch in _get_spark_partition_data_loader(10, 4) for number in batch[0].tolist()]
    counted = torch.tensor([float(len(values)), float(sum(values))])
    torch.distributed.all_reduce(counted)
    torch.distributed.destroy_process_group()
    return counted.tolist()


@pytest.mark.deuteron
def test_a_data_frame(spark):
    frame = spark.range(20, numPartitions=2)
    assert distributor()._train_on_dataframe(rows_and_sum, frame) == [20.0, 190.0]
