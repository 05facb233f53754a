"""The program on the page docs/gang.md does what it says."""

import os
import re
import subprocess
import sys

import pytest

from tests.gang.conftest import ROOT

ADDRESS = "sc://localhost:15002"


def test_the_program(deuteron_server, tmp_path):
    pytest.importorskip("torch")
    program = re.search(r"```python\n(.*?)```", (ROOT / "docs/gang.md").read_text(), re.S)[1]
    assert ADDRESS in program
    path = tmp_path / "program.py"
    path.write_text(program.replace(ADDRESS, deuteron_server.remote))
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "python"))
    answer = subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True, timeout=120)
    assert answer.stdout.splitlines() == [f"rank {rank} learned 3.0 and -2.0" for rank in range(2)], answer.stderr
