"""tools/check_layers.py accepts this tree and refuses what it should, each on a small tree of its own."""
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = ROOT / "tools/check_layers.py"
MODULES = {"low": [], "middle": ["low"], "high": ["low", "middle"]}
RESTRICTED = [{"header": "engine\\.h", "only_in": ["middle"]}, {"header": "(gtest|gmock)/.*", "only_in_tests": True}]


def run_check(root: pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, CHECK, "--root", root], capture_output=True, text=True, timeout=60)


@pytest.fixture
def tree(tmp_path):
    def make(files: dict[str, str], modules=MODULES):
        layers = {"modules": [{"name": n, "may_use": u, "purpose": "-"} for n, u in modules.items()],
                  "restricted_headers": RESTRICTED}
        (tmp_path / "layers.json").write_text(json.dumps(layers))
        for name in modules:
            (tmp_path / "src" / name).mkdir(parents=True)
        for name, text in files.items():
            path = tmp_path / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return run_check(tmp_path)
    return make


def test_this_repository():
    answer = run_check(ROOT)
    assert answer.returncode == 0, answer.stdout


def test_allowed_includes_pass(tree):
    answer = tree({"high/a.cc": '#include "middle/b.h"\n#include <vector>\n', "middle/b.h": '#include <engine.h>\n',
                   "low/a_test.cc": "#include <gtest/gtest.h>\n"})
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("name,text,words", [
    ("low/a.cc", '#include "high/a.h"\n', "low may not use high"),
    ("low/a.cc", '  #  include "middle/deep/a.h"\n', "low may not use middle"),
    ("high/a.h", "#include <engine.h>\n", "only in: middle"),
    ("high/a.h", '#include "engine.h"\n', "only in: middle"),
    ("low/a.cc", "#include <gtest/gtest.h>\n", "tests only"),
    ("low/a.cc", '#include "../high/a.h"\n', "not a path from src/"),
    ("extra/a.cc", "\n", "not listed in layers.json"),
])
def test_forbidden(tree, name, text, words):
    answer = tree({name: text})
    assert answer.returncode == 1
    assert words in answer.stdout


def test_cycle(tree):
    answer = tree({}, {"low": ["high"], "high": ["low"]})
    assert answer.returncode == 1
    assert "cycle: low -> high -> low" in answer.stdout
