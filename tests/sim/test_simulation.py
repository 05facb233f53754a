"""`deuteron simulate` as its user starts it, and the bars of docs/simulation.md on a cluster that is small enough for every test run."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pyspark import deuteron_server

ROOT = Path(__file__).resolve().parents[2]


def load_bench():
    spec = importlib.util.spec_from_file_location("simulation_bench", ROOT / "bench/simulation.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    module.PROGRAM = deuteron_server.binary()
    return module


bench = load_bench()
SMALL = ["--nodes", "100", "--jobs", "3000", "--load", "0.9"]
FAULTS = ["--node-failures", "5", "--hangs", "2000"]


def simulate(*options, expect=0):
    done = subprocess.run([bench.PROGRAM, "simulate", *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, done.stderr
    return done


def result(tmp_path, *options):
    path = tmp_path / "simulated.json"
    table = simulate(*options, "--json", path).stdout
    json_text = json.loads(path.read_text())
    for policy in json_text["policies"]:
        del policy["seconds"]
    return json_text, table


def test_the_same_seed_gives_the_same_result(tmp_path):
    one, _ = result(tmp_path, *SMALL, *FAULTS, "--seed", "5")
    same, _ = result(tmp_path, *SMALL, *FAULTS, "--seed", "5")
    other, _ = result(tmp_path, *SMALL, *FAULTS, "--seed", "6")
    assert one == same
    assert one["policies"] != other["policies"]
    assert one["faults"] == {"node_days": 5, "repair_hours": 4, "hang_hours": 2000, "checkpoint_minutes": 30}


def test_failures_cost_gpu_time_and_gangs_but_none_of_ours(tmp_path):
    faulty, table = result(tmp_path, *SMALL, *FAULTS)
    sound, _ = result(tmp_path, *SMALL)
    assert "lost to failed nodes" in table
    for policy, without in zip(faulty["policies"], sound["policies"]):
        name = policy["policy"]
        assert policy["hours_lost_to_nodes"] > 0 and policy["hours_lost_to_hangs"] > 0 and policy["down"] > 0, name
        assert policy["goodput"] < policy["utilisation"], name
        assert without["goodput"] == pytest.approx(without["utilisation"], rel=1e-9), name
        assert without["restarts"] == without["lost"] == without["down"] == 0, name
        assert (policy["restarts"] > 0) == (name != "polling")
    lost = {policy["policy"]: policy["lost"] for policy in faulty["policies"]}
    assert lost["deuteron"] == 0
    assert lost["polling"] == max(lost.values()) > 0


def test_more_checkpoints_lose_less(tmp_path):
    def lost(minutes):
        simulated, _ = result(tmp_path, *SMALL, *FAULTS, "--policy", "deuteron", "--checkpoint", minutes)
        policy = simulated["policies"][0]
        return policy["hours_lost_to_nodes"] + policy["hours_lost_to_hangs"]

    assert lost("5") < lost("60") < lost("0")


@pytest.mark.parametrize("option", ["--node-failures", "--hangs", "--checkpoint", "--repair"])
def test_what_is_no_time_is_refused(option):
    assert option in simulate(option, "-1", expect=1).stderr


@pytest.mark.parametrize("faulty", [False, True])
def test_the_bars_hold(faulty, tmp_path):
    """Large gangs wait for no longer than with conservative backfill, and as many GPUs are in use as with EASY's, but a point."""
    runs = [bench.Run(1000, 20000, 0.95, seed, tuple(bench.BACKFILLS), faulty) for seed in (1, 2, 3)]
    assert bench.broken_bars({run: run.result(tmp_path) for run in runs}) == []


def test_a_broken_bar_is_told():
    def policy(longest, utilisation, goodput=0.8, lost=0):
        return {"waits": [{"longest": longest}], "utilisation": utilisation, "goodput": goodput, "lost": lost}

    def broken(*ours, faulty=False, conservative=policy(600, 0.8), easy=policy(500, 0.905)):
        return bench.broken_bars({bench.Run(1, 1, 1, seed, (), faulty): {"deuteron": one, "conservative": conservative, "easy": easy}
                                  for seed, one in enumerate(ours)})

    assert broken(policy(600, 0.9)) == []
    assert len(broken(policy(601, 0.894))) == 2
    assert len(broken(policy(600, 0.9, lost=1))) == 1
    assert len(broken(policy(1, 0.9), conservative=policy(0, 0.9))) == 1
    # With failures the mean counts, and what is finished.
    assert broken(policy(601, 0.894), policy(599, 0.9), faulty=True) == []
    assert len(broken(policy(601, 0.9), policy(600, 0.9, 0.789), faulty=True)) == 2
    assert broken(policy(50, 0.9), faulty=True, conservative=policy(0, 0.9)) == []
    assert len(broken(policy(61, 0.9), faulty=True, conservative=policy(0, 0.9))) == 1
