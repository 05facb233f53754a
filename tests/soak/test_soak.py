"""The soak in short; `make soak` runs the whole one."""

from soak.soak import parse, soak


def test_a_short_soak(tmp_path):
    assert soak(tmp_path, parse(["--jobs", "40", "--sessions", "3", "--kills", "0.1", "--hangs", "0.02"])) == []
