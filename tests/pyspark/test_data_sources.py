"""Python data sources that write: all parts or none, once each. What they answer in detail: tests/oracle/queries/data_source_*.py."""

import json
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark import TaskContext
from pyspark.errors import PySparkException, PythonException
from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceWriter, InputPartition, WriterCommitMessage

from deuteron_server import wait_until


@dataclass
class Part(WriterCommitMessage):
    name: str


class FolderWriter(DataSourceWriter):
    """A file of JSON lines per partition; they count once they are named in `parts.json`, which commit writes."""

    def __init__(self, options, overwrite):
        self.folder = options["path"]
        self.fails = options.get("fails")
        self.overwrite = overwrite

    def write(self, rows):
        partition = TaskContext.get().partitionId()
        part = Part(f"{partition}-{os.getpid()}-{time.time_ns()}")
        with open(os.path.join(self.folder, part.name), "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(list(row)) + "\n")
        if partition == 1 and self.fails == "die-once" and not os.path.exists(os.path.join(self.folder, "died")):
            Path(self.folder, "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if partition == 1 and self.fails == "raise":
            raise ValueError("no write today")
        if self.fails == "wait":
            time.sleep(600)
        return part

    def commit(self, messages):
        listed = Path(self.folder, "parts.json")
        before = [] if self.overwrite or not listed.exists() else json.loads(listed.read_text())
        listed.write_text(json.dumps(before + [message.name for message in messages]))

    def abort(self, messages):
        for message in messages:
            if message is not None:
                os.remove(os.path.join(self.folder, message.name))
        Path(self.folder, "aborted").touch()


class FolderReader(DataSourceReader):
    def __init__(self, options):
        self.folder = options["path"]

    def partitions(self):
        return [InputPartition(name) for name in json.loads(Path(self.folder, "parts.json").read_text())]

    def read(self, partition):
        with open(os.path.join(self.folder, partition.value), encoding="utf-8") as file:
            for line in file:
                yield tuple(json.loads(line))


class Folder(DataSource):
    @classmethod
    def name(cls):
        return "folder"

    def schema(self):
        return "id long, text string"

    def reader(self, schema):
        return FolderReader(self.options)

    def writer(self, schema, overwrite):
        return FolderWriter(self.options, overwrite)


@pytest.fixture
def folder_session(new_session):
    spark = new_session()
    spark.dataSource.register(Folder)
    return spark


def rows(spark, first, end, partitions=3):
    return spark.range(first, end, 1, partitions).selectExpr("id", "cast(id as string) as text")


def write(frame, folder, mode="append", **options):
    frame.write.format("folder").mode(mode).options(**options).save(str(folder))


def numbers(spark, folder):
    return sorted(row.id for row in spark.read.format("folder").load(str(folder)).collect())


def test_what_is_written_is_read_again(folder_session, tmp_path):
    write(rows(folder_session, 0, 10), tmp_path)
    assert numbers(folder_session, tmp_path) == list(range(10))
    write(rows(folder_session, 10, 12), tmp_path)
    assert numbers(folder_session, tmp_path) == list(range(12))
    write(rows(folder_session, 5, 7), tmp_path, mode="overwrite")
    assert numbers(folder_session, tmp_path) == [5, 6]


def test_a_write_of_many_rows(folder_session, tmp_path):
    write(rows(folder_session, 0, 100_000, 5), tmp_path)
    assert folder_session.read.format("folder").load(str(tmp_path)).selectExpr("sum(id)", "count(*)").first() == (4_999_950_000, 100_000)


def test_a_failed_write_leaves_nothing_that_counts(folder_session, tmp_path):
    write(rows(folder_session, 0, 3), tmp_path)
    with pytest.raises(PythonException, match="no write today"):
        write(rows(folder_session, 3, 6), tmp_path, fails="raise")
    assert (tmp_path / "aborted").exists()
    assert numbers(folder_session, tmp_path) == [0, 1, 2]


@pytest.mark.deuteron  # Apache Spark in local mode does not try a task again
def test_a_part_is_written_once_although_its_first_worker_died(folder_session, tmp_path):
    write(rows(folder_session, 0, 9), tmp_path, fails="die-once")
    assert (tmp_path / "died").exists() and not (tmp_path / "aborted").exists()
    parts = json.loads((tmp_path / "parts.json").read_text())
    assert [part.split("-")[0] for part in parts] == ["0", "1", "2"]
    assert len([name for name in os.listdir(tmp_path) if name.startswith("1-")]) == 2
    assert numbers(folder_session, tmp_path) == list(range(9))


def test_a_cancelled_write_is_aborted(folder_session, tmp_path):
    raised = []

    def cancelled():
        try:
            write(rows(folder_session, 0, 3), tmp_path, fails="wait")
        except PySparkException as error:
            raised.append(error)

    thread = threading.Thread(target=cancelled)
    thread.start()
    wait_until(lambda: list(tmp_path.iterdir()), 30, "the first part")
    folder_session.interruptAll()
    thread.join(30)
    assert not thread.is_alive() and raised
    wait_until((tmp_path / "aborted").exists, 30, "the abort")
    assert not (tmp_path / "parts.json").exists()
