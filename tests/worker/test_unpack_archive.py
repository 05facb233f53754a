"""Archives that clients upload: what is unpacked, and what is refused."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from deuteron.worker import unpack_archive

LIMIT = 1 << 20


def run(archive, folder, limit=LIMIT):
    return subprocess.run([sys.executable, "-I", unpack_archive.__file__, str(archive), str(folder), str(limit)],
                          capture_output=True, text=True, timeout=60)  # fmt: skip


def tar(path, members, mode="w:gz"):
    """`members`: name -> bytes, or a text: where a link of that name points to."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size, member.mode = len(content), 0o755
                archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name, mode", [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tgz", "w:gz")])
def test_a_tar_file(tmp_path, name, mode):
    archive = tar(tmp_path / name, {"bin/tool": b"#!", "bin/link": "/bin/sh", "bin/other": "tool"}, mode)
    assert run(archive, tmp_path / "to").returncode == 0
    assert (tmp_path / "to/bin/tool").read_bytes() == b"#!" and os.access(tmp_path / "to/bin/tool", os.X_OK)
    assert os.readlink(tmp_path / "to/bin/link") == "/bin/sh"
    assert (tmp_path / "to/bin/other").read_bytes() == b"#!"


@pytest.mark.parametrize("name", ["x.zip", "x.jar"])
def test_a_zip_file(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        tool = zipfile.ZipInfo("bin/tool")
        tool.external_attr = 0o100755 << 16
        archive.writestr(tool, b"#!")
        archive.writestr("data/x.txt", b"x")
    assert run(tmp_path / name, tmp_path / "to").returncode == 0
    assert os.access(tmp_path / "to/bin/tool", os.X_OK)
    assert (tmp_path / "to/data/x.txt").read_bytes() == b"x" and not os.access(tmp_path / "to/data/x.txt", os.X_OK)


@pytest.mark.parametrize("members", [{"../out": b"x"}, {"a/../../out": b"x"}, {"link": "..", "link/out": b"x"}])
def test_nothing_leaves_the_folder(tmp_path, members):
    result = run(tar(tmp_path / "x.tar.gz", members), tmp_path / "to")
    assert result.returncode == 1 and result.stdout
    assert not (tmp_path / "out").exists()


def test_names_of_a_zip_file_stay_below(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../out", b"x")
        archive.writestr("/absolute", b"x")
    assert run(tmp_path / "x.zip", tmp_path / "to").returncode == 0
    assert not (tmp_path / "out").exists() and not Path("/absolute").exists()


def test_the_content_is_bounded(tmp_path):
    archive = tar(tmp_path / "x.tar.gz", {"zeros": bytes(LIMIT + 1)})
    assert archive.stat().st_size < LIMIT / 100
    result = run(archive, tmp_path / "to")
    assert result.returncode == 1 and "larger" in result.stdout
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("zeros", bytes(LIMIT + 1))
    assert run(tmp_path / "x.zip", tmp_path / "to2").returncode == 1


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4 no zip", b"\x1f\x8b no gzip"])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    result = run(tmp_path / "x.zip", tmp_path / "to")
    assert result.returncode == 1 and result.stdout
