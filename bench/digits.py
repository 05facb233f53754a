"""The demo: accuracy over seeds, with and without a killed rank, and its time."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import servers
from table import Row

DEMO = servers.REPOSITORY / "examples/digits/demo.py"


def run(server, out, *arguments):
    command = [sys.executable, DEMO, "--remote", server.remote, "--out", out, *arguments]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    return json.loads((Path(out) / "result.json").read_text())


def measure(options, running):
    server = running("deuteron")
    seeds = [text for seed in options.seeds for text in ("--seed", str(seed))]
    with tempfile.TemporaryDirectory(prefix="bench-digits-") as out:
        plain = run(server, out, *seeds)
        results = plain.get("runs", [plain])
        killed = run(server, out, *seeds, "--kill-rank=1")
        kills = killed.get("runs", [killed])
    each = ", ".join(f"{result['accuracy']:.4f}" for result in results)
    yield Row(f"demo: accuracy, mean of {len(results)} seeds", 100 * plain["accuracy"], "%", 98, False, {}, each)
    attempts = ", ".join(f"{result['attempts']} attempts from epoch {result['epoch_resumed_from']}" for result in kills)
    yield Row("demo: points lost with a killed rank", 100 * (plain["accuracy"] - killed["accuracy"]), "points", 0.5, True, {}, attempts)
    if any(result["attempts"] < 2 for result in kills):
        yield Row("demo: runs whose rank was really killed", sum(result["attempts"] > 1 for result in kills), "", len(kills), False)
    warm = results[-1]["seconds"]
    yield Row("demo: everything warm", warm["total"], "s", 30, True, {},
              ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in warm.items() if phase != "total"))
