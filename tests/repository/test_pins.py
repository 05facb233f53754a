"""Versions are pinned exactly and in one place; nothing generated or third-party is in the repository."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEGABYTE = 1 << 20


def requirements(name: str) -> dict[str, str]:
    pins = {}
    for line in (ROOT / name).read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!-]+)", line)
            assert match, f"{name}: not an exact pin: {line}"
            assert match[1].lower() not in pins, f"{name}: {match[1]} is pinned twice"
            pins[match[1].lower()] = match[2]
    return pins


def tracked() -> list[str]:
    answer = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return [name for name in answer.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("other", ["python/peers.txt", "python/libraries.txt", "python/xgboost.txt"])
def test_environments_agree(other):
    client, pinned = requirements("python/requirements.txt"), requirements(other)
    differing = {name for name in client.keys() & pinned.keys() if client[name] != pinned[name]}
    assert not differing


def test_peers_agree_with_the_engine():
    pinned = dict(re.findall(r"^([A-Z0-9_]+)=(\S+)$", (ROOT / "versions.env").read_text(), re.M))
    assert requirements("python/peers.txt")["duckdb"] == pinned["DUCKDB_VERSION"]


def test_no_other_file_pins_an_engine_version():
    pins = [v for k, v in re.findall(r"^([A-Z0-9_]+)=(\S+)$", (ROOT / "versions.env").read_text(), re.M) if not k.endswith("_VERSION")]
    build_files = [n for n in tracked() if n == "Makefile" or n.startswith(("cmake/", "tools/", ".ci/")) or n.endswith("CMakeLists.txt")]
    repeated = [(n, p) for n in build_files for p in pins if p in (ROOT / n).read_text()]
    assert not repeated


def test_nothing_generated_or_foreign_is_tracked():
    forbidden = re.compile(r"\.(so|a|o|whl|jar|pb\.cc|pb\.h|tgz|tar\.gz)$|_pb2(_grpc)?\.py$|(^|/)(duckdb|nanoarrow)\.(h|hpp|c)$")
    assert [name for name in tracked() if forbidden.search(name)] == []


def test_tracked_files_are_small():
    assert [name for name in tracked() if (ROOT / name).stat().st_size > 2 * MEGABYTE] == []
