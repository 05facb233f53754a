"""Files, archives and Python environments of a session; Python modules of one: test_server.py."""

import os
import sys
import tarfile
import threading
import uuid
import zipfile

import pyarrow
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

INTERPRETER = "spark.sql.execution.pyspark.python"
# As an environment that was packed: its packages go before those of the interpreter it is based on.
PYTHON = """#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
PYTHONPATH="$here/packages:$PYTHONPATH" exec {python} "$@"
"""


def environment(folder, package, version):
    """An archive with bin/python, for which the package has this version."""
    root = folder / f"made-{version}"
    (root / "bin").mkdir(parents=True)
    (root / "packages").mkdir()
    (root / "bin/python").write_text(PYTHON.format(python=sys.executable))
    (root / "bin/python").chmod(0o755)
    (root / f"packages/{package}.py").write_text(f"VERSION = {version}\n")
    path = folder / f"{package}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("bin", "packages"):
            archive.add(root / name, name)
    return str(path)


def ask(spark, function):
    return spark.range(1).select(F.udf(function, "string")("id").alias("answer")).first().answer


def test_a_file(new_session, tmp_path):
    spark = new_session()
    (tmp_path / "data.txt").write_text("hello")
    spark.addArtifacts(str(tmp_path / "data.txt"), file=True)

    def read(row):
        from pyspark import SparkFiles
        from pyspark.core.files import SparkFiles as same

        with open("data.txt") as here, open(SparkFiles.get("data.txt")) as there:
            return here.read() + there.read() + str(same is SparkFiles)

    assert ask(spark, read) == "hellohelloTrue"


def test_hashes_of_texts_are_the_same_in_all_workers(new_session):
    def hashes(batches):
        for _ in batches:
            yield pyarrow.RecordBatch.from_pydict({"hash": [hash("text")], "seed": [os.environ["PYTHONHASHSEED"]]})

    rows = new_session().range(0, 4, 1, 4).mapInArrow(hashes, "hash long, seed string").distinct().collect()
    assert len(rows) == 1 and rows[0].seed == "0"


@pytest.mark.deuteron
def test_without_files_their_folder_goes_with_the_gang(new_session):
    """Libraries write there what a killed rank can not remove: TorchDistributor a whole partition."""

    def leave(batches):
        import tempfile

        from pyspark.core.files import SparkFiles

        list(batches)
        left = tempfile.mkdtemp(dir=SparkFiles.getRootDirectory())
        yield pyarrow.RecordBatch.from_pydict({"left": [left], "gang": [os.environ["DEUTERON_GANG_DIRECTORY"]]})

    row = new_session().range(0, 1, 1, 1).mapInArrow(leave, "left string, gang string", barrier=True).first()
    assert os.path.dirname(row.left) == row.gang
    assert not os.path.exists(row.left)


@pytest.mark.deuteron
def test_without_files_and_gang_their_folder_is_the_servers(new_session):
    def look(row):
        from pyspark.core.files import SparkFiles

        return SparkFiles.getRootDirectory()

    folder = ask(new_session(), look)
    assert os.path.basename(folder).startswith("deuteron-")
    assert os.stat(folder).st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["files.zip", "files.zip#mine"])
def test_an_archive(new_session, tmp_path, name):
    spark = new_session()
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        archive.writestr("below/data.txt", "hello")
    spark.addArtifacts(str(tmp_path / name), archive=True)
    folder = name.split("#")[-1]

    def read(row):
        with open(f"{folder}/below/data.txt") as file:
            return file.read()

    assert ask(spark, read) == "hello"


def test_files_come_while_workers_run(new_session, tmp_path):
    spark = new_session()

    def listed(row):
        return " ".join(sorted(name for name in os.listdir(".") if name.startswith("file-")))

    for number in range(3):
        (tmp_path / f"file-{number}").write_text("x")
        spark.addArtifacts(str(tmp_path / f"file-{number}"), file=True)
        assert ask(spark, listed) == " ".join(f"file-{i}" for i in range(number + 1))


def test_files_stay_in_their_session(new_session, tmp_path):
    one, other = new_session(), new_session()
    name = f"file-{uuid.uuid4().hex}"
    (tmp_path / name).write_text("x")
    one.addArtifacts(str(tmp_path / name), file=True)
    assert ask(one, lambda row: str(os.path.exists(name))) == "True"
    assert ask(other, lambda row: str(os.path.exists(name))) == "False"


def test_two_sessions_use_two_environments_at_once(new_session, tmp_path):
    package = f"package_{uuid.uuid4().hex}"

    sessions = {version: new_session() for version in (1, 2)}

    @F.udf("int")
    def version_of(row):
        import importlib

        return importlib.import_module(package).VERSION

    for version, spark in sessions.items():
        spark.addArtifacts(environment(tmp_path, package, version) + "#environment", archive=True)
        spark.conf.set(INTERPRETER, "environment/bin/python")
    found = {1: set(), 2: set()}

    def ask_often(version):
        for _ in range(3):
            rows = sessions[version].range(0, 8, 1, 2).select(version_of("id").alias("v")).collect()
            found[version].update(row.v for row in rows)

    threads = [threading.Thread(target=ask_often, args=(version,)) for version in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {1: {1}, 2: {2}}

    sessions[1].conf.unset(INTERPRETER)
    with pytest.raises(PySparkException, match="No module named"):
        sessions[1].range(1).select(version_of("id")).collect()


def test_an_interpreter_that_is_not_there(new_session):
    spark = new_session()
    spark.conf.set(INTERPRETER, "no/such/python")
    with pytest.raises(PySparkException, match="no/such/python"):
        ask(spark, str)
    spark.conf.unset(INTERPRETER)
    assert ask(spark, str) == "0"


@pytest.mark.deuteron  # Apache Spark takes such a file, and fails at each query after that
def test_an_archive_that_cannot_be_unpacked(new_session, tmp_path):
    spark = new_session()
    (tmp_path / "bad.zip").write_text("no archive")
    with pytest.raises(PySparkException) as caught:
        spark.addArtifacts(str(tmp_path / "bad.zip"), archive=True)
    assert caught.value.getCondition() == "UNREADABLE_ARCHIVE"
    assert ask(spark, str) == "0"


def test_a_file_is_never_replaced(new_session, tmp_path):
    spark = new_session()
    (tmp_path / "data.txt").write_text("one")
    spark.addArtifacts(str(tmp_path / "data.txt"), file=True)
    (tmp_path / "data.txt").write_text("two")
    with pytest.raises(PySparkException) as caught:
        spark.addArtifacts(str(tmp_path / "data.txt"), file=True)
    assert caught.value.getCondition() == "ARTIFACT_ALREADY_EXISTS"
