"""Bad input: each time Spark's exception class and condition, and afterwards the next query works."""

import os
import signal
import socket
import subprocess
import time

import pyarrow
import pyarrow.parquet
import pytest
from conftest import close
from deuteron_server import COUNT, DeuteronServer, binary, client, wait_until
from pyspark.errors import AnalysisException, ArithmeticException, ParseException, PySparkException, PythonException
from pyspark.sql import functions as F
from pyspark.sql.functions import udf


@pytest.fixture(autouse=True)
def the_next_query_works(request):
    spark = request.getfixturevalue("spark") if "spark" in request.fixturenames else None
    yield
    if spark is not None:
        assert spark.range(10).filter("id > 4").count() == 5
        increment = udf(lambda value: value + 1, "bigint")
        assert spark.range(1).select(increment("id").alias("x")).first().x == 1


def raised(kind, condition, action):
    with pytest.raises(kind) as caught:
        action()
    assert caught.value.getCondition() == condition, str(caught.value)[:500]
    return caught.value


def assert_answers(remote, folder):
    """A new client, in a process of its own, gets an answer."""
    answer = subprocess.run(client(folder, COUNT, remote), capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == "7", answer.stderr[-2000:]


# --- queries ---------------------------------------------------------------------------------------------------------


def test_missing_file(spark):
    error = raised(AnalysisException, "PATH_NOT_FOUND", lambda: spark.read.parquet("/no/such/file.parquet").collect())
    assert "/no/such/file.parquet" in str(error.getMessageParameters())
    assert error.getSqlState() == "42K03"


def test_unknown_column(spark):
    frame = spark.createDataFrame([(1, "x")], "number int, name string")
    error = raised(AnalysisException, "UNRESOLVED_COLUMN.WITH_SUGGESTION", lambda: frame.select("nmae").collect())
    assert error.getMessageParameters() == {"objectName": "`nmae`", "proposal": "`name`, `number`"}
    assert error.getSqlState() == "42703"


def test_unknown_column_in_sql_points(spark):
    error = raised(AnalysisException, "UNRESOLVED_COLUMN.WITH_SUGGESTION",
                   lambda: spark.sql("select nmae from values (1, 'x') as t(number, name)").collect())
    context = error.getQueryContext()[0]
    assert (context.startIndex(), context.stopIndex(), context.fragment()) == (7, 10, "nmae")


def test_syntax_error(spark):
    error = raised(ParseException, "PARSE_SYNTAX_ERROR", lambda: spark.sql("select 1 +\nfrom t where").collect())
    assert error.getMessageParameters()["error"] and error.getSqlState() == "42601"
    assert "(line 2, pos " in str(error)


def test_type_mismatch(spark):
    error = raised(AnalysisException, "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
                   lambda: spark.sql("select 1 + array(2) as x").collect())
    assert error.getQueryContext()[0].fragment() == "1 + array(2)"


def test_division_by_zero(spark):
    error = raised(ArithmeticException, "DIVIDE_BY_ZERO", lambda: spark.sql("select 10 / id as x from range(3)").collect())
    assert error.getQueryContext()[0].fragment() == "10 / id"
    assert error.getSqlState() == "22012"


def test_division_by_zero_in_a_frame(spark):
    raised(ArithmeticException, "DIVIDE_BY_ZERO", lambda: spark.range(3).select(F.lit(10) / F.col("id")).collect())


def test_overflow(spark):
    raised(ArithmeticException, "ARITHMETIC_OVERFLOW",
           lambda: spark.sql("select id + 9223372036854775807 as x from range(3)").collect())


@pytest.mark.deuteron
def test_unsupported_is_an_error(spark):
    with pytest.raises(PySparkException) as caught:
        spark.sql("create function f as 'x.Y' using jar '/nowhere.jar'").collect()
    assert "UNSUPPORTED" in caught.value.getCondition()


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def parquet_bytes(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"x": list(range(10_000))}), tmp_path / "whole.parquet", row_group_size=1000)
    return (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("keep", ["half", "without-end", "few"])
def test_truncated_parquet(spark, tmp_path, parquet_bytes, keep):
    length = {"half": len(parquet_bytes) // 2, "without-end": len(parquet_bytes) - 5, "few": 6}[keep]
    (tmp_path / "cut.parquet").write_bytes(parquet_bytes[:length])
    with pytest.raises(PySparkException) as caught:
        spark.read.parquet(str(tmp_path / "cut.parquet")).agg(F.sum("x")).collect()
    assert caught.value.getCondition() == "FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER"
    assert "cut.parquet" in str(caught.value)


def test_empty_parquet(spark, tmp_path):
    (tmp_path / "empty.parquet").write_bytes(b"")
    with pytest.raises(PySparkException) as caught:
        spark.read.parquet(str(tmp_path / "empty.parquet")).collect()
    assert caught.value.getCondition() is not None


def test_parquet_with_broken_pages(spark, tmp_path, parquet_bytes):
    broken = bytearray(parquet_bytes)
    broken[200:4000] = b"\xa5\x5a\x00\xff" * 950
    (tmp_path / "broken.parquet").write_bytes(bytes(broken))
    with pytest.raises(PySparkException) as caught:
        spark.read.parquet(str(tmp_path / "broken.parquet")).agg(F.sum("x")).collect()
    assert (caught.value.getCondition() or "").startswith("FAILED_READ_FILE")


def test_a_folder_without_files(spark, tmp_path):
    raised(AnalysisException, "UNABLE_TO_INFER_SCHEMA", lambda: spark.read.parquet(str(tmp_path)).collect())


def test_a_place_that_cannot_be_written(spark):
    with pytest.raises(PySparkException):
        spark.range(1).write.parquet("/proc/nowhere/x")


# --- functions -------------------------------------------------------------------------------------------------------


def test_a_udf_that_raises(spark):
    def fail(value):
        raise LookupError(f"nothing for {value}")

    with pytest.raises(PythonException) as caught:
        spark.range(1).select(udf(fail, "int")("id")).collect()
    assert "LookupError: nothing for 0" in str(caught.value)


def test_a_udf_that_kills_its_process(spark):
    def die(value):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(PySparkException) as caught:
        spark.range(1).select(udf(die, "int")("id")).collect()
    assert "worker" in str(caught.value).lower()


def test_a_udf_that_crashes(spark):
    def crash(value):
        os.kill(os.getpid(), signal.SIGSEGV)

    with pytest.raises(PySparkException) as caught:
        spark.range(1).select(udf(crash, "string")("id")).collect()
    assert "worker" in str(caught.value).lower()


@pytest.mark.deuteron
@pytest.mark.heavy
def test_a_udf_that_allocates_without_end(new_session, tmp_path):
    def grow(value):
        kept = []
        while True:
            kept.append(b"\1" * (64 << 20))

    with DeuteronServer(tmp_path, "--worker-memory", "1g") as server:
        spark = new_session(server.remote)
        start = time.time()
        with pytest.raises(PySparkException) as caught:
            spark.range(1).select(udf(grow, "int")("id")).collect()
        assert time.time() - start < 30
        assert "memory" in str(caught.value).lower()
        assert spark.range(5).count() == 5
        close(spark)


def test_a_udf_that_returns_nonsense(spark):
    with pytest.raises(PySparkException):
        spark.range(1).select(udf(lambda value: object(), "array<int>")("id").alias("x")).collect()


# --- clients ---------------------------------------------------------------------------------------------------------


VANISHING_CLIENT = """
import os, sys, time
from pyspark.sql import SparkSession
path = sys.argv[2]
def work(batches):
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".part", path)
    time.sleep(600)
    yield from batches
SparkSession.builder.remote(sys.argv[1]).getOrCreate().range(1).mapInArrow(work, "id long").collect()
"""


@pytest.mark.deuteron  # Apache Spark keeps for five minutes what nobody asks for
def test_a_client_that_vanishes(tmp_path):
    with DeuteronServer(tmp_path) as server:
        path = tmp_path / "worker"
        vanishing = subprocess.Popen(client(tmp_path, VANISHING_CLIENT, server.remote, str(path)),
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(path.exists, 30, "the function runs")
        finally:
            vanishing.kill()
            vanishing.wait(10)
        worker = int(path.read_text())
        assert_answers(server.remote, tmp_path)
        wait_until(lambda: not os.path.exists(f"/proc/{worker}/exe"), 30, "the vanished client's worker ends")
        assert_answers(server.remote, tmp_path)


@pytest.mark.deuteron
def test_garbage_on_the_port(server, tmp_path):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xde\xad" * 2500, preface + b"\xbe\xef" * 250, b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(garbage)
            connection.settimeout(0.3)
            try:
                connection.recv(100)
            except OSError:
                pass
    assert_answers(server.remote, tmp_path)


@pytest.mark.deuteron
def test_garbage_in_a_request(server, spark):
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        for method in ("ExecutePlan", "AnalyzePlan", "Config", "NoSuchMethod"):
            call = channel.unary_unary(f"/spark.connect.SparkConnectService/{method}")
            with pytest.raises(grpc.RpcError):
                call(b"\xff\xff\xff\xff nonsense", timeout=5)


# --- the command -----------------------------------------------------------------------------------------------------


def command(*arguments):
    return subprocess.run([str(binary()), *arguments], capture_output=True, text=True, timeout=20)


def assert_one_line(answer, *words):
    assert answer.returncode > 0, answer
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, answer.stderr
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]


@pytest.mark.deuteron
def test_a_taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(command("server", "--port", str(port)), str(port))


@pytest.mark.deuteron
def test_a_port_taken_by_another_server(server):
    assert_one_line(command("server", "--port", str(server.port)), str(server.port))


@pytest.mark.deuteron
@pytest.mark.parametrize("arguments", [["server", "--port", "notanumber"], ["server", "--port", "70000"], ["server", "--nope"],
                                       ["nope"]])
def test_wrong_arguments(arguments):
    answer = command(*arguments)
    assert answer.returncode > 0
    assert answer.stderr.strip()
