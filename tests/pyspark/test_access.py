"""Who may use a server: addresses, tokens, TLS, and the private things between server and workers."""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import grpc
import pyspark.sql.connect.proto as pb2
import pyspark.sql.connect.proto.base_pb2_grpc as service
import pytest
from conftest import connect
from deuteron_server import COUNT, DeuteronServer, binary, client, descendants
from pyspark.errors import PySparkException

pytestmark = pytest.mark.deuteron
TOKEN = "correct-horse-battery"
SESSION = {"session_id": "00000000-0000-4000-8000-000000000001", "user_context": pb2.UserContext(user_id="x")}


@pytest.fixture
def count_from_elsewhere(tmp_path):
    """Counts seven rows from a process of its own."""

    def count(remote, **environment):
        return subprocess.run(client(tmp_path, COUNT, remote), capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, **environment))

    return count


def refused(*arguments):
    answer = subprocess.run([str(binary()), "server", "--port", "0", *arguments], capture_output=True, text=True,
                            timeout=20)
    assert answer.returncode > 0
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, answer.stderr
    return lines[0]


# --- addresses -------------------------------------------------------------------------------------------------------


def test_listens_on_loopback_only(server):
    addresses = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        lines = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        addresses |= {fields[1].split(":")[0] for fields in lines if fields[3] == "0A" and fields[1].endswith(f":{server.port:04X}")}
    assert addresses and addresses <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.parametrize("arguments", [[], ["--token", TOKEN]])
def test_other_addresses_are_refused(arguments):
    assert "--insecure" in refused("--host", "0.0.0.0", *arguments)


def test_tls_without_a_token_is_refused_for_other_addresses(certificate):
    assert "--token" in refused("--host", "0.0.0.0", "--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1]))


def test_insecure_is_said_by_name(tmp_path, count_from_elsewhere):
    with DeuteronServer(tmp_path, "--host", "0.0.0.0", "--insecure") as server:
        assert count_from_elsewhere(server.remote).stdout.strip() == "7"


def test_certificate_and_key_go_together(certificate):
    assert "--tls-key" in refused("--tls-certificate", str(certificate[0]))


def test_a_missing_certificate_is_told(tmp_path):
    line = refused("--token", TOKEN, "--tls-certificate", str(tmp_path / "none.pem"), "--tls-key", str(tmp_path / "none.key"))
    assert "none.pem" in line


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with DeuteronServer(tmp_path_factory.mktemp("guarded"), "--token", TOKEN) as running:
        yield running


def test_the_right_token(guarded, count_from_elsewhere):
    assert count_from_elsewhere(f"sc://localhost:{guarded.port}/;token={TOKEN}").stdout.strip() == "7"


@pytest.mark.parametrize("parameters", ["/;token=wrong", f"/;token={TOKEN}x", f"/;token={TOKEN[:-1]}", ""])
def test_a_wrong_token(guarded, parameters, count_from_elsewhere):
    answer = count_from_elsewhere(f"sc://localhost:{guarded.port}{parameters}")
    assert answer.returncode != 0
    assert "UNAUTHENTICATED" in answer.stderr
    assert TOKEN not in answer.stderr.replace(parameters, "")


REQUESTS = {
    "ExecutePlan": pb2.ExecutePlanRequest(**SESSION),
    "AnalyzePlan": pb2.AnalyzePlanRequest(spark_version=pb2.AnalyzePlanRequest.SparkVersion(), **SESSION),
    "Config": pb2.ConfigRequest(operation=pb2.ConfigRequest.Operation(get_all=pb2.ConfigRequest.GetAll()), **SESSION),
    "ArtifactStatus": pb2.ArtifactStatusesRequest(names=["cache/x"], **SESSION),
    "Interrupt": pb2.InterruptRequest(interrupt_type=pb2.InterruptRequest.INTERRUPT_TYPE_ALL, **SESSION),
    "ReattachExecute": pb2.ReattachExecuteRequest(operation_id=SESSION["session_id"], **SESSION),
    "ReleaseExecute": pb2.ReleaseExecuteRequest(operation_id=SESSION["session_id"],
                                                release_all=pb2.ReleaseExecuteRequest.ReleaseAll(), **SESSION),
    "FetchErrorDetails": pb2.FetchErrorDetailsRequest(error_id="x", **SESSION),
    "CloneSession": pb2.CloneSessionRequest(**SESSION),
    "ReleaseSession": pb2.ReleaseSessionRequest(**SESSION),
    "AddArtifacts": pb2.AddArtifactsRequest(**SESSION),
    "GetStatus": pb2.GetStatusRequest(**SESSION) if hasattr(pb2, "GetStatusRequest") else None,
}


@pytest.mark.parametrize("method", [name for name, request in REQUESTS.items() if request is not None])
@pytest.mark.parametrize("metadata", [None, [("authorization", "Bearer wrong")], [("authorization", TOKEN)]])
def test_every_rpc_checks_the_token(guarded, method, metadata):
    request = REQUESTS[method]
    with grpc.insecure_channel(f"127.0.0.1:{guarded.port}") as channel:
        call = getattr(service.SparkConnectServiceStub(channel), method)
        with pytest.raises(grpc.RpcError) as caught:
            answer = call(iter([request]) if method == "AddArtifacts" else request, timeout=10, metadata=metadata)
            list(answer)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_the_token_is_not_in_the_process_list_of_workers(guarded, count_from_elsewhere):
    count_from_elsewhere(f"sc://localhost:{guarded.port}/;token={TOKEN}")
    for process in descendants(guarded.pid):
        assert TOKEN not in Path(f"/proc/{process}/cmdline").read_text()
        assert TOKEN not in Path(f"/proc/{process}/environ").read_text()


def test_the_token_is_not_logged(guarded):
    assert TOKEN not in guarded.log()


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem",
                    "-out", folder / "certificate.pem"], check=True, capture_output=True, timeout=60)
    return folder / "certificate.pem", folder / "key.pem"


def test_tls_with_a_token(tmp_path, certificate, count_from_elsewhere):
    with DeuteronServer(tmp_path, "--token", TOKEN, "--tls-certificate", str(certificate[0]), "--tls-key",
                        str(certificate[1])) as server:
        roots = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate[0])}
        address = f"sc://localhost:{server.port}/;use_ssl=true"
        assert count_from_elsewhere(f"{address};token={TOKEN}", **roots).stdout.strip() == "7"
        assert count_from_elsewhere(f"{address};token=wrong", **roots).returncode != 0
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            plain.settimeout(1)
            try:
                assert not plain.recv(10).startswith(b"\x00\x00")
            except OSError:
                pass


# --- between server and workers --------------------------------------------------------------------------------------


def test_worker_sockets_and_files_are_private(tmp_path):
    temporary = Path(tempfile.mkdtemp(prefix="d-", dir="/tmp"))
    temporary.chmod(0o777)
    environment = {"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)}
    with DeuteronServer(tmp_path, environment=environment) as server:
        spark = connect(server.remote)
        spark.range(0, 2, 1, 2).mapInArrow(lambda batches: batches, "id long", barrier=True).collect()
        seen = [path for path in temporary.iterdir()]
        mine = [name for name in os.listdir("/dev/shm") if "deuteron" in name]
        for path in [*seen, *(Path("/dev/shm") / name for name in mine)]:
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
        spark.client.release_session()
        spark.client.close()
    shutil.rmtree(temporary)


def test_sessions_do_not_see_each_other(new_session):
    one, other = new_session(), new_session()
    one.sql("select 42 as secret").createOrReplaceTempView("hidden")
    with pytest.raises(PySparkException) as caught:
        other.sql("select * from hidden").collect()
    assert caught.value.getCondition() == "TABLE_OR_VIEW_NOT_FOUND"


def test_a_session_belongs_to_its_user(server):
    """Another user with the same session id gets a session of his own, or none."""
    first = connect(f"{server.remote}/;user_id=anna")
    first.sql("select 42 as secret").createOrReplaceTempView("hidden")
    first.table("hidden").collect()
    request = pb2.ConfigRequest(session_id=first.session_id, user_context=pb2.UserContext(user_id="berta"),
                                operation=pb2.ConfigRequest.Operation(get_all=pb2.ConfigRequest.GetAll()))
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = service.SparkConnectServiceStub(channel)
        try:
            answer = stub.Config(request, timeout=10)
        except grpc.RpcError:
            pass
        else:
            mine = stub.Config(pb2.ConfigRequest(session_id=first.session_id, user_context=pb2.UserContext(user_id="anna"),
                                                 operation=request.operation), timeout=10)
            assert answer.server_side_session_id != mine.server_side_session_id
    first.client.release_session()
    first.client.close()
