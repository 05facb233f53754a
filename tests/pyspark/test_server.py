"""The server as such: the RPCs, reattach, interrupt, progress, and its end."""

import os
import signal
import subprocess
import threading
import time
import uuid
import zipfile

import grpc
import pyspark.sql.connect.proto as pb2
import pyspark.sql.connect.proto.base_pb2_grpc as service
import pytest
from deuteron_server import DeuteronServer, client, wait_until
from pyspark.errors import PySparkException
from pyspark.sql import functions as F


def sleeping(seconds):
    def work(batches):
        time.sleep(seconds)
        yield from batches

    return work


# --- RPCs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub(remote):
    with grpc.insecure_channel(remote.removeprefix("sc://"), options=[("grpc.max_receive_message_length", 1 << 28)]) as channel:
        yield service.SparkConnectServiceStub(channel)


@pytest.fixture
def ids():
    return {"session_id": str(uuid.uuid4()), "user_context": pb2.UserContext(user_id="test")}


def range_plan(end):
    relation = pb2.Relation(common=pb2.RelationCommon(plan_id=1))
    relation.range.end, relation.range.step = end, 1
    return pb2.Plan(root=relation)


def sql_plan(text):
    relation = pb2.Relation(common=pb2.RelationCommon(plan_id=1))
    relation.sql.query = text
    return pb2.Plan(root=relation)


def reattachable(**options):
    option = pb2.ExecutePlanRequest.RequestOption(reattach_options=pb2.ReattachOptions(reattachable=True))
    return pb2.ExecutePlanRequest(request_options=[option], operation_id=str(uuid.uuid4()), **options)


def test_every_rpc_of_the_service_answers(stub, ids):
    """Each RPC answers, or fails with something other than the transport's UNIMPLEMENTED."""
    requests = {
        "ExecutePlan": pb2.ExecutePlanRequest(plan=range_plan(1), **ids),
        "AnalyzePlan": pb2.AnalyzePlanRequest(spark_version=pb2.AnalyzePlanRequest.SparkVersion(), **ids),
        "Config": pb2.ConfigRequest(operation=pb2.ConfigRequest.Operation(get_all=pb2.ConfigRequest.GetAll()), **ids),
        "ArtifactStatus": pb2.ArtifactStatusesRequest(names=["cache/none"], **ids),
        "Interrupt": pb2.InterruptRequest(interrupt_type=pb2.InterruptRequest.INTERRUPT_TYPE_ALL, **ids),
        "ReattachExecute": pb2.ReattachExecuteRequest(operation_id=str(uuid.uuid4()), **ids),
        "ReleaseExecute": pb2.ReleaseExecuteRequest(operation_id=str(uuid.uuid4()),
                                                    release_all=pb2.ReleaseExecuteRequest.ReleaseAll(), **ids),
        "FetchErrorDetails": pb2.FetchErrorDetailsRequest(error_id=str(uuid.uuid4()), **ids),
        "CloneSession": pb2.CloneSessionRequest(**ids),
        "ReleaseSession": pb2.ReleaseSessionRequest(session_id=str(uuid.uuid4()), user_context=ids["user_context"]),
    }
    if hasattr(pb2, "GetStatusRequest"):
        requests["GetStatus"] = pb2.GetStatusRequest(**ids)
    for name, request in requests.items():
        try:
            answer = getattr(stub, name)(request, timeout=30)
            if name in ("ExecutePlan", "ReattachExecute"):
                list(answer)
        except grpc.RpcError as error:
            assert error.code() != grpc.StatusCode.UNIMPLEMENTED, name
            assert error.code() != grpc.StatusCode.DEADLINE_EXCEEDED, name
    parts = [pb2.AddArtifactsRequest(batch=pb2.AddArtifactsRequest.Batch(artifacts=[]), **ids)]
    assert stub.AddArtifacts(iter(parts), timeout=30) is not None


def test_session_ids_are_echoed_and_stable(stub, ids):
    first = stub.Config(pb2.ConfigRequest(operation=pb2.ConfigRequest.Operation(get_all=pb2.ConfigRequest.GetAll()), **ids))
    second = stub.AnalyzePlan(pb2.AnalyzePlanRequest(spark_version=pb2.AnalyzePlanRequest.SparkVersion(), **ids))
    assert first.session_id == second.session_id == ids["session_id"]
    assert first.server_side_session_id == second.server_side_session_id != ""


def test_a_bad_session_id_is_refused(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Config(pb2.ConfigRequest(session_id="not-a-uuid", user_context=pb2.UserContext(user_id="x"),
                                      operation=pb2.ConfigRequest.Operation(get_all=pb2.ConfigRequest.GetAll())))
    assert "INVALID_HANDLE" in caught.value.details()


def test_a_released_session_is_gone(stub, ids):
    config = pb2.ConfigRequest(operation=pb2.ConfigRequest.Operation(get_all=pb2.ConfigRequest.GetAll()), **ids)
    stub.Config(config)
    stub.ReleaseSession(pb2.ReleaseSessionRequest(**ids))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Config(config)
    assert "INVALID_HANDLE.SESSION_CLOSED" in caught.value.details()


# --- reattach --------------------------------------------------------------------------------------------------------


def test_an_execution_can_be_read_again(stub, ids):
    request = reattachable(plan=range_plan(10), **ids)
    first = list(stub.ExecutePlan(request, timeout=30))
    assert first[-1].HasField("result_complete")
    again = list(stub.ReattachExecute(pb2.ReattachExecuteRequest(operation_id=request.operation_id, **ids), timeout=30))
    assert [response.response_id for response in again] == [response.response_id for response in first]


def test_an_execution_goes_on_after_a_response(stub, ids):
    request = reattachable(plan=range_plan(10), **ids)
    first = list(stub.ExecutePlan(request, timeout=30))
    assert len(first) >= 3
    rest = list(stub.ReattachExecute(pb2.ReattachExecuteRequest(
        operation_id=request.operation_id, last_response_id=first[1].response_id, **ids), timeout=30))
    assert [response.response_id for response in rest] == [response.response_id for response in first[2:]]


def test_a_stream_that_is_cut_goes_on_where_it_was(stub, ids):
    request = reattachable(plan=sql_plan("select id, repeat('x', 1000) as s from range(30000)"), **ids)
    call = stub.ExecutePlan(request, timeout=60)
    received = [next(call)]
    call.cancel()
    while not received[-1].HasField("result_complete"):
        call = stub.ReattachExecute(pb2.ReattachExecuteRequest(
            operation_id=request.operation_id, last_response_id=received[-1].response_id, **ids), timeout=60)
        received += list(call)
    ids_seen = [response.response_id for response in received]
    assert len(set(ids_seen)) == len(ids_seen)
    assert sum(response.arrow_batch.row_count for response in received if response.HasField("arrow_batch")) == 30_000


def test_a_released_execution_is_gone(stub, ids):
    request = reattachable(plan=range_plan(10), **ids)
    list(stub.ExecutePlan(request, timeout=30))
    stub.ReleaseExecute(pb2.ReleaseExecuteRequest(operation_id=request.operation_id,
                                                  release_all=pb2.ReleaseExecuteRequest.ReleaseAll(), **ids))
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.ReattachExecute(pb2.ReattachExecuteRequest(operation_id=request.operation_id, **ids), timeout=30))
    assert "INVALID_HANDLE.OPERATION" in caught.value.details()


def test_responses_that_were_released_are_gone(stub, ids):
    request = reattachable(plan=range_plan(10), **ids)
    responses = list(stub.ExecutePlan(request, timeout=30))
    until = pb2.ReleaseExecuteRequest.ReleaseUntil(response_id=responses[1].response_id)
    stub.ReleaseExecute(pb2.ReleaseExecuteRequest(operation_id=request.operation_id, release_until=until, **ids))
    rest = list(stub.ReattachExecute(pb2.ReattachExecuteRequest(
        operation_id=request.operation_id, last_response_id=responses[1].response_id, **ids), timeout=30))
    assert [response.response_id for response in rest] == [response.response_id for response in responses[2:]]


def test_an_operation_id_is_used_once(stub, ids):
    request = reattachable(plan=range_plan(10), **ids)
    list(stub.ExecutePlan(request, timeout=30))
    request.plan.CopyFrom(range_plan(11))
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.ExecutePlan(request, timeout=30))
    assert "INVALID_HANDLE.OPERATION" in caught.value.details()


def test_a_reader_that_stops_does_not_fill_the_memory(server, stub, ids):
    """The response buffer is bounded: an execution whose reader does not read must wait."""
    if server.process is None or not hasattr(server, "descendants"):
        pytest.skip("needs a server of our own")
    request = reattachable(plan=sql_plan("select id, repeat(cast(id as string), 100) as s from range(3000000)"), **ids)
    before = resident_bytes(server.pid)
    call = stub.ExecutePlan(request, timeout=60)
    next(call)
    time.sleep(1.5)
    assert resident_bytes(server.pid) < before + (700 << 20)
    call.cancel()
    stub.ReleaseExecute(pb2.ReleaseExecuteRequest(operation_id=request.operation_id,
                                                  release_all=pb2.ReleaseExecuteRequest.ReleaseAll(), **ids))


def resident_bytes(process):
    with open(f"/proc/{process}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- interrupt -------------------------------------------------------------------------------------------------------


def interrupted(spark, query, interrupt, delay=0.7):
    """Runs the query, interrupts it from another thread, and gives back the error and the seconds after the interrupt."""
    seen = {}

    def stop():
        time.sleep(delay)
        seen["at"] = time.time()
        seen["answer"] = interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(PySparkException) as caught:
        query()
    seconds = time.time() - seen.get("at", time.time())
    thread.join(20)
    assert caught.value.getCondition() == "OPERATION_CANCELED", str(caught.value)[:300]
    return seen["answer"], seconds


def test_interrupt_all(new_session):
    spark = new_session()
    answer, seconds = interrupted(spark, lambda: spark.range(1).mapInArrow(sleeping(60), "id long").collect(), spark.interruptAll)
    assert len(answer) == 1 and seconds < 5
    assert spark.range(3).count() == 3


def test_interrupt_a_long_sql_query(new_session):
    spark = new_session()
    long = "select count(*) from range(3000000) a join range(3000000) b on a.id % 1000 = b.id % 1000 where a.id * b.id % 7 = 3"
    answer, seconds = interrupted(spark, lambda: spark.sql(long).collect(), spark.interruptAll)
    assert len(answer) == 1 and seconds < 5
    assert spark.range(3).count() == 3


def test_interrupt_by_tag(new_session):
    spark = new_session()
    spark.addTag("slow")
    assert spark.getTags() == {"slow"}
    answer, _ = interrupted(spark, lambda: spark.range(1).mapInArrow(sleeping(60), "id long").collect(),
                            lambda: (spark.interruptTag("other"), spark.interruptTag("slow")))
    assert answer[0] == [] and len(answer[1]) == 1
    spark.clearTags()


def test_interrupt_by_operation(new_session):
    spark = new_session()
    operations = []

    class Watch:
        def __call__(self, stages, inflight_tasks, operation_id, done):
            operations.append(operation_id)

    watch = Watch()
    spark.registerProgressHandler(watch)

    def stop():
        wait_until(lambda: operations, 20, "progress tells the operation")
        return spark.interruptOperation(operations[0])

    answer, _ = interrupted(spark, lambda: spark.range(1).mapInArrow(sleeping(60), "id long").collect(), stop)
    assert answer == [operations[0]]


def test_interrupting_nothing(new_session):
    assert new_session().interruptAll() == []


def test_interrupt_leaves_other_sessions_alone(new_session):
    one, other = new_session(), new_session()
    counted = []
    thread = threading.Thread(
        target=lambda: counted.append(other.range(4).mapInArrow(sleeping(1.2), "id long").count()))
    thread.start()
    interrupted(one, lambda: one.range(1).mapInArrow(sleeping(60), "id long").collect(), one.interruptAll)
    thread.join(30)
    assert counted == [4]


# --- progress --------------------------------------------------------------------------------------------------------


def watched(spark, action):
    """What the client hears while `action` runs: [(tasks, tasks that are done)], and the operations."""
    seen, operations = [], set()

    def handler(stages, inflight_tasks, operation_id, done):
        seen.append((sum(stage.num_tasks for stage in stages), sum(stage.num_completed_tasks for stage in stages)))
        operations.add(operation_id)

    spark.registerProgressHandler(handler)
    action()
    spark.removeProgressHandler(handler)
    return seen, operations


def test_progress_of_a_python_stage(new_session):
    spark = new_session()
    seen, operations = watched(spark, lambda: spark.range(0, 4, 1, 4).mapInArrow(sleeping(1.0), "id long").collect())
    assert len(operations) == 1 and any(tasks >= 4 and 0 <= completed < tasks for tasks, completed in seen)


def test_progress_of_a_relational_query_and_of_a_write(new_session, tmp_path):
    spark = new_session()
    spark.range(0, 600_000, 1, 2).write.parquet(str(tmp_path / "in"))
    slow = spark.read.parquet(str(tmp_path / "in")).selectExpr("sha2(cast(repeat(cast(id as string), 300) as binary), 256) as h")
    for action in (slow.agg(F.max("h")).collect, lambda: slow.write.parquet(str(tmp_path / "out"))):
        seen, operations = watched(spark, action)
        assert len(operations) == 1 and any(0 < completed <= tasks for tasks, completed in seen)


# --- several clients at once -----------------------------------------------------------------------------------------


def test_many_sessions_at_once(new_session):
    answers = []
    sessions = [new_session() for _ in range(8)]

    def work(index):
        for _ in range(5):
            answers.append(sessions[index].range(1000 + index).filter("id % 2 = 0").count() == (1001 + index) // 2)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [True] * 40


def test_clone_of_a_session(new_session):
    spark = new_session()
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    spark.range(3).createOrReplaceTempView("cloned")
    clone = spark.cloneSession()
    assert clone.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert clone.table("cloned").count() == 3
    clone.conf.set("spark.sql.session.timeZone", "UTC")
    assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"


def test_python_files_as_artifacts(new_session, tmp_path):
    spark = new_session()
    module = tmp_path / f"sent_{uuid.uuid4().hex}.py"
    module.write_text("ANSWER = 42\n")
    spark.addArtifacts(str(module), pyfile=True)
    name = module.stem

    def use(batches):
        import importlib

        import pyarrow

        list(batches)
        yield pyarrow.RecordBatch.from_pydict({"x": [importlib.import_module(name).ANSWER]})

    assert spark.range(1).mapInArrow(use, "x long").first().x == 42


@pytest.mark.parametrize("kind", ["py", "zip", "egg"])
def test_two_sessions_use_two_versions_of_one_module(new_session, tmp_path, kind):
    name = f"versions_{uuid.uuid4().hex}"

    def sent(version):
        folder = tmp_path / str(version)
        folder.mkdir()
        text = f"VERSION = {version}\n"
        path = folder / f"{name}.{kind}"
        if kind == "py":
            path.write_text(text)
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{name}/__init__.py", text)
        return str(path)

    without = new_session()

    @F.udf("int")
    def version_of(row):
        import importlib

        return importlib.import_module(name).VERSION

    sessions = {version: new_session() for version in (1, 2)}
    for version, session in sessions.items():
        session.addArtifacts(sent(version), pyfile=True)
    found = {1: set(), 2: set()}

    def ask(version):
        for _ in range(5):
            rows = sessions[version].range(0, 8, 1, 2).select(version_of("id").alias("v")).collect()
            found[version].update(row.v for row in rows)

    threads = [threading.Thread(target=ask, args=(version,)) for version in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1: {1}, 2: {2}}
    with pytest.raises(PySparkException, match="No module named"):
        without.range(1).select(version_of("id")).collect()


# --- the end ---------------------------------------------------------------------------------------------------------


DRAINED = """
import os, sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
def work(batches):
    time.sleep(1.5)
    yield from batches
print("runs", flush=True)
print(spark.range(5).mapInArrow(work, "id long").count(), flush=True)
os._exit(0)
"""


@pytest.mark.deuteron
def test_sigterm_drains_and_exits_with_0(tmp_path):
    server = DeuteronServer(tmp_path)
    server.start()
    draining = subprocess.Popen(client(tmp_path, DRAINED, server.remote), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert draining.stdout.readline().strip() == "runs"
        time.sleep(0.8)
        server.process.send_signal(signal.SIGTERM)
        assert draining.stdout.readline().strip() == "5"
        assert server.process.wait(20) == 0
    finally:
        draining.kill()
        draining.wait(10)
        server.stop() if server.process.poll() is None else None


@pytest.mark.deuteron
def test_sigterm_when_idle_is_quick(tmp_path):
    with DeuteronServer(tmp_path) as server:
        start = time.time()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        assert time.time() - start < 2


@pytest.mark.deuteron
def test_sigint_ends_it_too(tmp_path):
    with DeuteronServer(tmp_path) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
