#!/usr/bin/env python3
"""Handwritten digits, from Parquet to a report, in one PySpark program.

SQL checks and scales the images, a gang of ranks trains a small network with PyTorch DistributedDataParallel, the network is
applied in parallel, and SQL says how good it is. No line here is special to one server: any Spark Connect 4.2 server will do.

    demo.py --remote sc://localhost:15002 --out build/digits
    demo.py --kill-rank=1        a rank is killed in mid-training, from outside; the gang starts again from its checkpoint

The folder of --out must be one that both this program and the server's workers see.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import picture
import training
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

PIXELS = [f"p{index}" for index in range(64)]
DIGITS = range(10)
FILES = 4
ROWS_PER_GROUP = 150
TRAIN_SHARE = 0.8

cloudpickle.register_pickle_by_value(training)  # the workers need not have this folder


# --- data ------------------------------------------------------------------------------------------------------------


def write_images(folder: Path):
    """The 1,797 images of 8 x 8 pixels that come with scikit-learn, as several Parquet files; done once."""
    if (folder / "_SUCCESS").exists():
        return
    import pyarrow
    import pyarrow.parquet
    from sklearn.datasets import load_digits

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    digits = load_digits()
    columns = {"id": pyarrow.array(range(len(digits.target)), pyarrow.int64()),
               "label": pyarrow.array(digits.target, pyarrow.int32())}
    columns |= {name: pyarrow.array(digits.data[:, index], pyarrow.int32()) for index, name in enumerate(PIXELS)}
    table = pyarrow.table(columns)
    size = -(-table.num_rows // FILES)
    for number in range(FILES):
        pyarrow.parquet.write_table(table.slice(number * size, size), folder / f"images-{number}.parquet",
                                    row_group_size=ROWS_PER_GROUP)
    (folder / "_SUCCESS").touch()


def check_quality(spark: SparkSession) -> dict:
    """Counts what must not be there; stops the program if there is any of it."""
    darkest, brightest = (f"{choose}({', '.join(PIXELS)})" for choose in ("least", "greatest"))
    row = spark.sql(f"""
        WITH seen AS (SELECT id, label, {darkest} AS darkest, {brightest} AS brightest FROM images)
        SELECT count(*) AS images,
               count(DISTINCT id) AS ids,
               count(DISTINCT label) AS digits,
               sum(CASE WHEN label IS NULL OR label NOT BETWEEN 0 AND 9 THEN 1 ELSE 0 END) AS bad_labels,
               sum(CASE WHEN darkest < 0 OR brightest > 16 THEN 1 ELSE 0 END) AS bad_pixels,
               sum(CASE WHEN brightest = 0 THEN 1 ELSE 0 END) AS empty_images
        FROM seen""").first()
    found = row.asDict()
    if found["bad_labels"] or found["bad_pixels"] or found["empty_images"]:
        raise SystemExit(f"the images are not fit for training: {found}")
    if found["images"] != found["ids"] or found["digits"] != len(DIGITS):
        raise SystemExit(f"images are missing or there twice: {found}")
    return found


def split_images(spark: SparkSession, seed: int) -> tuple[DataFrame, DataFrame]:
    """Scales the pixels to 0..1 and holds back a fifth of each digit, chosen by the seed."""
    scaled = ", ".join(f"CAST({name} AS DOUBLE) / 16 AS {name}" for name in PIXELS)
    spark.sql(f"""
        WITH shuffled AS (
            SELECT *, ((id + 1) * {48271 + 2 * seed} % 65521) * 16807 % 65537 AS position FROM images),
        numbered AS (
            SELECT *, row_number() OVER (PARTITION BY label ORDER BY position, id) AS place,
                   count(*) OVER (PARTITION BY label) AS images_of_label
            FROM shuffled)
        SELECT id, label, place > {TRAIN_SHARE} * images_of_label AS held_back, {scaled}
        FROM numbered""").createOrReplaceTempView("prepared")
    prepared = spark.table("prepared")
    return prepared.filter("NOT held_back").drop("held_back"), prepared.filter("held_back").drop("held_back")


# --- training --------------------------------------------------------------------------------------------------------


def train(images: DataFrame, settings: training.Settings, kill_rank: int | None) -> list[dict]:
    """Trains in a gang and gives back one row per epoch and rank of the attempt that ended well."""
    folder = Path(settings.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with watching(folder, lambda watch: print_epochs(watch, settings)), contextlib.ExitStack() as stack:
        if kill_rank is not None:
            stack.enter_context(watching(folder, lambda watch: kill_in_mid_training(watch, kill_rank, settings)))
        gang = images.repartition(settings.ranks, "id").mapInArrow(training.rank_function(settings), training.ROW_SCHEMA,
                                                             barrier=True)
        return [row.asDict() for row in gang.collect()]


class Watch:
    """What a thread beside the training sees: the metrics in the checkpoint folder, and when to stop."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.done = threading.Event()

    def epochs(self):
        """The epochs' metrics as they come; ends after the last one."""
        read = 0
        while True:
            done = self.done.wait(0.02)
            lines = training.read_metrics(self.folder)
            yield from lines[read:]
            read = len(lines)
            if done:
                return


@contextlib.contextmanager
def watching(folder: Path, look):
    watch = Watch(folder)
    thread = threading.Thread(target=look, args=(watch,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.done.set()
        thread.join(5)


def print_epochs(watch: Watch, settings: training.Settings):
    attempt = 0
    for line in watch.epochs():
        if line["attempt"] != attempt:
            attempt = line["attempt"]
            print(f"  the gang starts again: attempt {attempt} goes on after epoch {line['resumed_from']}", flush=True)
        print(f"  epoch {line['epoch']:2d}/{settings.epochs}  loss {line['loss']:.4f}  accuracy on augmented images "
              f"{line['accuracy']:6.2%}  {line['seconds']:.2f} s", flush=True)


def kill_in_mid_training(watch: Watch, rank: int, settings: training.Settings):
    """Waits for the middle of the first attempt, then kills the process of a rank like the kernel would."""
    for line in watch.epochs():
        if line["attempt"] == 0 and line["epoch"] == settings.epochs // 2:
            process = training.read_ranks(watch.folder)[0][rank]
            os.kill(process, signal.SIGKILL)
            print(f"  killed rank {rank} (process {process})", flush=True)
            return


# --- inference and report --------------------------------------------------------------------------------------------


def predict(images: DataFrame, settings: training.Settings, folder: Path):
    """Applies the network to the images in parallel and writes what it thinks of each to Parquet."""
    schema = "id long, label int, prediction int, confidence double, process long, model_loads int"
    applied = images.repartition(2 * settings.ranks).mapInPandas(training.predict_function(settings), schema)
    applied.write.mode("overwrite").parquet(str(folder))


def report(spark: SparkSession, predictions: Path) -> dict:
    """Everything the result says about the predictions, by SQL."""
    spark.read.parquet(str(predictions)).createOrReplaceTempView("predictions")
    total = spark.sql("""
        SELECT count(*) AS images, avg(CASE WHEN label = prediction THEN 1.0D ELSE 0.0D END) AS accuracy,
               count(DISTINCT process) AS processes, max(model_loads) AS model_loads
        FROM predictions""").first()
    per_digit = spark.sql("""
        SELECT label, avg(CASE WHEN label = prediction THEN 1.0D ELSE 0.0D END) AS accuracy
        FROM predictions GROUP BY label ORDER BY label""").collect()
    confusion = spark.sql("""
        SELECT label, prediction, count(*) AS images
        FROM predictions GROUP BY label, prediction ORDER BY label, prediction""").collect()
    hardest = spark.sql(f"""
        SELECT p.id, p.label, p.prediction, p.confidence, {", ".join("i." + name for name in PIXELS)}
        FROM predictions p JOIN images i ON p.id = i.id
        ORDER BY CASE WHEN p.label = p.prediction THEN 1 ELSE 0 END,
                 CASE WHEN p.label = p.prediction THEN p.confidence ELSE -p.confidence END, p.id
        LIMIT {picture.HARDEST}""").collect()
    matrix = [[0 for _ in DIGITS] for _ in DIGITS]
    for row in confusion:
        matrix[row.label][row.prediction] = row.images
    return {"held_back_images": total.images, "accuracy": total.accuracy,
            "accuracy_per_digit": {str(row.label): row.accuracy for row in per_digit}, "confusion": matrix,
            "inference": {"processes": total.processes, "model_loads_per_process": total.model_loads},
            "hardest": [{"id": row.id, "label": row.label, "prediction": row.prediction, "confidence": row.confidence,
                         "pixels": [row[name] for name in PIXELS]} for row in hardest]}


def describe_training(folder: Path, rows: list[dict]) -> dict:
    """Attempts, who ran them, and where the last one began."""
    ranks = training.read_ranks(folder)
    last = rows[-1]
    return {"attempts": last["attempt"] + 1,
            "epoch_resumed_from": last["resumed_from"],
            "process_ids": {str(attempt): {str(rank): process for rank, process in sorted(processes.items())}
                            for attempt, processes in sorted(ranks.items())},
            "final_loss": last["loss"],
            "images_per_rank": {str(row["rank"]): row["images"] for row in rows}}


# --- the program -----------------------------------------------------------------------------------------------------


class Phases:
    """Times the phases and prints one line for each."""

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, name: str):
        start = time.perf_counter()
        print(f"{name} …", flush=True)
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
        print(f"{name}: {self.seconds[name]:.2f} s", flush=True)


def run(options, seed: int) -> dict:
    start = time.perf_counter()
    phases = Phases()
    out = Path(options.out).resolve()
    settings = training.Settings(folder=str(out / f"checkpoints-{seed}"), ranks=options.ranks, epochs=options.epochs,
                                 seed=seed)
    with phases("images"):
        write_images(out / "images")
    with phases("connect"):
        spark = SparkSession.builder.remote(options.remote).getOrCreate()
        server = spark.version
    with phases("prepare"):
        spark.read.parquet(str(out / "images")).createOrReplaceTempView("images")
        quality = check_quality(spark)
        train_images, held_back = split_images(spark, seed)
    with phases("train"):
        rows = train(train_images, settings, options.kill_rank)
    with phases("predict"):
        predict(held_back, settings, out / f"predictions-{seed}.parquet")
    with phases("report"):
        judged = report(spark, out / f"predictions-{seed}.parquet")
    with phases("picture"):
        picture.draw(judged, out / "digits.png")
    spark.stop()
    phases.seconds["total"] = round(time.perf_counter() - start, 3)
    return {"seed": seed, "server": server, "ranks": settings.ranks, "epochs": settings.epochs, "quality": quality,
            **judged, **describe_training(Path(settings.folder), rows), "seconds": phases.seconds}


def print_result(result: dict):
    print(f"\n{result['accuracy']:.2%} of {result['held_back_images']} held-back images are right "
          f"(seed {result['seed']}, {result['attempts']} attempt(s), {result['seconds']['total']:.1f} s)")
    print("  digit     " + "  ".join(f"{digit:>5}" for digit in result["accuracy_per_digit"]))
    print("  accuracy  " + "  ".join(f"{value:5.0%}" for value in result["accuracy_per_digit"].values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remote", default=os.environ.get("SPARK_REMOTE", "sc://localhost:15002"))
    parser.add_argument("--out", default="build/digits", help="where images, checkpoints, predictions and results go")
    parser.add_argument("--seed", type=int, action="append", help="again for more runs; the accuracy is their mean")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--kill-rank", type=int, help="kill this rank in mid-training")
    options = parser.parse_args()
    results = []
    for seed in options.seed or [1]:
        results.append(run(options, seed))
        print_result(results[-1])
    accuracy = sum(result["accuracy"] for result in results) / len(results)
    answer = dict(results[-1], accuracy=accuracy, seeds=[result["seed"] for result in results])
    if len(results) > 1:
        answer["runs"] = results
        print(f"\nmean of {len(results)} seeds: {accuracy:.2%}")
    file = Path(options.out) / "result.json"
    file.write_text(json.dumps(answer, indent=1) + "\n")
    print(f"{file} and {file.with_name('digits.png')} are written")


if __name__ == "__main__":
    main()
