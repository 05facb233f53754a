"""What a soak runs: each job is a query whose answer is known. `job(spark, random)` raises WrongAnswer, or whatever the client raises.

Functions of workers are made anew for each job and travel by value. They sleep a little, so that a kill finds them at work.
"""

import os
import threading
import time

import pandas
import pyarrow
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

SLOTS = 4
LONGEST_NAP_S = 0.03
# What an interrupted function sleeps.
FOR_EVER_S = 300


class WrongAnswer(AssertionError):
    pass


def expect(what, found, wanted):
    if found != wanted:
        raise WrongAnswer(f"{what}: {found!r}, not {wanted!r}")


def nap_of(random):
    return random.uniform(0, LONGEST_NAP_S)


def gang_sums(spark, random):
    """Ranks tell each other their sums, and each finds the same total."""
    ranks, rows, nap = random.randint(1, SLOTS), random.randint(1, 50_000), nap_of(random)

    def run(batches):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        mine = sum(sum(batch.column("id").to_pylist()) for batch in batches)
        time.sleep(nap)
        context.barrier()
        time.sleep(nap)
        total = sum(map(int, context.allGather(str(mine))))
        yield pyarrow.RecordBatch.from_pydict({"rank": [context.partitionId()], "total": [total]})

    rows_found = spark.range(0, rows, 1, ranks).mapInArrow(run, "rank long, total long", barrier=True).collect()
    expect("sums of a gang", sorted(map(tuple, rows_found)), [(rank, rows * (rows - 1) // 2) for rank in range(ranks)])


def gang_with_checkpoints(spark, random):
    """A training loop in small: each step adds what all ranks say, and goes on from the checkpoint after a failure."""
    ranks, steps, nap = random.randint(2, SLOTS), random.randint(2, 8), nap_of(random) / 2

    def run(frames):
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        rank = context.partitionId()
        mine = sum(int(frame["id"].sum()) for frame in frames)
        checkpoint = os.path.join(os.environ["DEUTERON_GANG_DIRECTORY"], "checkpoint")
        step, value = 0, 0
        if os.path.exists(checkpoint):
            with open(checkpoint) as file:
                step, value = map(int, file.read().split())
        step, value = map(int, context.allGather(f"{step} {value}")[0].split())  # rank 0 says where all go on
        while step < steps:
            time.sleep(nap)
            value = value * 3 + sum(map(int, context.allGather(str(mine + step))))
            step += 1
            if rank == 0:
                with open(f"{checkpoint}.{context.attemptNumber()}", "w") as file:
                    file.write(f"{step} {value}")
                os.rename(f"{checkpoint}.{context.attemptNumber()}", checkpoint)
        yield pandas.DataFrame({"rank": [rank], "value": [value]})

    found = spark.range(0, 100 * ranks, 1, ranks).mapInPandas(run, "rank long, value long", barrier=True).collect()
    everybody, value = 100 * ranks * (100 * ranks - 1) // 2, 0
    for step in range(steps):
        value = value * 3 + everybody + step * ranks
    expect("a gang with checkpoints", sorted(map(tuple, found)), [(rank, value) for rank in range(ranks)])


def map_in_arrow(spark, random):
    tasks, rows, nap = random.randint(1, 8), random.randint(1, 200_000), nap_of(random)

    def double(batches):
        from pyarrow import compute

        time.sleep(nap)
        for batch in batches:
            yield pyarrow.RecordBatch.from_arrays([compute.multiply(batch.column(0), 2)], ["id"])

    found = spark.range(0, rows, 1, tasks).mapInArrow(double, "id long").agg(F.sum("id"), F.count("id")).collect()
    expect("mapInArrow", [tuple(row) for row in found], [(rows * (rows - 1), rows)])


def scalar_functions(spark, random):
    rows, nap = random.randint(1, 20_000), nap_of(random)

    @F.pandas_udf("long")
    def plus_one(values: pandas.Series) -> pandas.Series:
        time.sleep(nap)
        return values + 1

    @F.udf("long", useArrow=random.random() < 0.5)
    def square(value):
        return value * value

    found = spark.range(0, rows, 1, 3).select(plus_one("id").alias("a"), square("id").alias("b")).agg(F.sum("a"), F.sum("b")).collect()
    squares = (rows - 1) * rows * (2 * rows - 1) // 6
    expect("scalar functions", [tuple(row) for row in found], [(rows * (rows + 1) // 2, squares)])


def grouped_functions(spark, random):
    keys, rows, nap = random.randint(1, 9), random.randint(10, 5_000), nap_of(random)

    def largest(frame):
        time.sleep(nap / 4)
        return pandas.DataFrame({"key": [frame["key"].iloc[0]], "rows": [len(frame)], "most": [frame["id"].max()]})

    frame = spark.range(rows).select((F.col("id") % keys).alias("key"), "id")
    found = frame.groupBy("key").applyInPandas(largest, "key long, rows long, most long").orderBy("key").collect()
    wanted = [(key, len(range(key, rows, keys)), range(key, rows, keys)[-1]) for key in range(keys)]
    expect("applyInPandas", [tuple(row) for row in found], wanted)


def stages_behind_stages(spark, random):
    """Tasks, a shuffle, a gang that reads it, and functions over what the gang leaves."""
    ranks, rows, nap = random.randint(2, SLOTS), random.randint(100, 20_000), nap_of(random)

    def keep(batches):
        time.sleep(nap)
        yield from batches

    def count(batches):
        from pyspark import BarrierTaskContext

        mine = sum(batch.num_rows for batch in batches)
        time.sleep(nap)
        total = sum(map(int, BarrierTaskContext.get().allGather(str(mine))))
        yield pyarrow.RecordBatch.from_pydict({"mine": [mine], "total": [total]})

    @F.udf("long")
    def negative(value):
        return -value

    frame = spark.range(0, rows, 1, 3).mapInArrow(keep, "id long").repartition(ranks).mapInArrow(count, "mine long, total long", barrier=True)
    found = frame.agg(F.sum("mine"), F.min(negative("total")), F.max(negative("total")), F.count("*")).collect()
    expect("stages behind stages", [tuple(row) for row in found], [(rows, -rows, -rows, ranks)])


def cached_rows(spark, random):
    """Rows that are kept, in memory or on disk when that is full, and read several times."""
    rows = random.randint(1_000, 1_000_000)

    def keep(batches):
        yield from batches

    kept = spark.range(0, rows, 1, 4).mapInArrow(keep, "id long").cache()
    try:
        for _ in range(3):
            found = kept.agg(F.sum("id"), F.count("*")).collect()
            expect("cached rows", [tuple(row) for row in found], [(rows * (rows - 1) // 2, rows)])
    finally:
        kept.unpersist()


def function_that_raises(spark, random):
    unlucky, barrier = random.randint(0, 3), random.random() < 0.5

    def run(batches):
        from pyspark import TaskContext

        yield from batches
        if TaskContext.get().partitionId() == unlucky:
            raise ValueError("meant to be raised")

    if barrier:
        spark.conf.set("spark.deuteron.gang.stopOnSameFailure", "true")
    try:
        spark.range(0, 4, 1, 4).mapInArrow(run, "id long", barrier=barrier).collect()
    except PySparkException as error:
        expect("what a function raises", "meant to be raised" in str(error), True)
    else:
        raise WrongAnswer("a function raised, and nobody was told")
    finally:
        spark.conf.unset("spark.deuteron.gang.stopOnSameFailure")


def interrupted(spark, random):
    delay, barrier = random.uniform(0, 0.3), random.random() < 0.5

    def run(batches):
        list(batches)
        time.sleep(FOR_EVER_S)
        yield pyarrow.RecordBatch.from_pydict({"id": [0]})

    answered = threading.Event()

    def interrupt():
        answered.wait(delay)
        while not answered.is_set():
            spark.interruptAll()
            answered.wait(0.05)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        spark.range(0, 3, 1, 3).mapInArrow(run, "id long", barrier=barrier).collect()
    except PySparkException as error:
        expect("the error of an interrupted query", "OPERATION_CANCELED" in str(error), True)
    else:
        raise WrongAnswer("an interrupted query has an answer")
    finally:
        answered.set()
        thread.join()


# With how often each comes, of 100: half of them are gangs.
KINDS = {
    gang_sums: 22,
    gang_with_checkpoints: 20,
    stages_behind_stages: 8,
    map_in_arrow: 12,
    scalar_functions: 10,
    grouped_functions: 8,
    cached_rows: 8,
    function_that_raises: 6,
    interrupted: 6,
}


def choose(random):
    return random.choices(list(KINDS), list(KINDS.values()))[0]
