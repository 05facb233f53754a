"""simulation.py [--render]: the figures of docs/simulation.md. Runs `deuteron simulate` with several loads, prints the table as Markdown
and draws docs/images/simulation.png; with --render from the results of the last run.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build/simulation"
LOADS = ("0.7", "0.9", "1.0", "1.1")
OPTIONS = ["--nodes", "1000", "--gpus-per-node", "8", "--jobs", "100000", "--seed", "1"]


def simulate(load: str) -> None:
    subprocess.run([ROOT / "build/bin/deuteron", "simulate", *OPTIONS, "--load", load, "--json", RESULTS / f"{load}.json"],
                   check=True, timeout=900, stdout=subprocess.DEVNULL)


def time_text(seconds: float) -> str:
    return "0" if seconds < 0.5 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def table(results: dict[str, dict]) -> str:
    lines = ["| load | policy | in use | held idle | mean wait | p99 | longest | large: mean | large: longest | never started | took |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for load, result in results.items():
        for policy in result["policies"]:
            every, large = policy["waits"][0], policy["waits"][-1]
            cells = [load, f"`{policy['policy']}`", f"{100 * policy['utilisation']:.1f} %", f"{100 * policy['held_idle']:.1f} %",
                     *(time_text(every[name]) for name in ("mean", "p99", "longest")),
                     *(time_text(large[name]) for name in ("mean", "longest")),
                     f"{every['never_started']} ({large['never_started']} large)" if every["never_started"] else "0",
                     f"{policy['seconds']:.1f} s"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(results: dict[str, dict], path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (use, waits) = pyplot.subplots(1, 2, figsize=(12, 4.5))
    names = [policy["policy"] for policy in next(iter(results.values()))["policies"]]
    loads = [float(load) for load in results]
    for index, name in enumerate(names):
        runs = [result["policies"][index] for result in results.values()]
        style = {"color": "black" if name == "deuteron" else f"C{index}", "marker": "o", "linewidth": 3 if name == "deuteron" else 1.3, "label": name}
        use.plot(loads, [100 * run["utilisation"] for run in runs], **style)
        waits.plot(loads, [max(run["waits"][-1]["longest"], 1) / 3600 for run in runs], **style)
    use.set(xlabel="load", ylabel="GPUs in use, %", title="Utilisation")
    waits.set(xlabel="load", ylabel="hours", yscale="log", title="Longest wait of gangs of more than 512 GPUs that started")
    use.legend(fontsize="small")
    for axes in (use, waits):
        axes.set_xticks(loads)
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--render", action="store_true", help="from the results of the last run")
    if not parser.parse_args().render:
        RESULTS.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(simulate, reversed(LOADS)))
    results = {load: json.loads((RESULTS / f"{load}.json").read_text()) for load in LOADS}
    print(table(results))
    draw(results, ROOT / "docs/images/simulation.png")


if __name__ == "__main__":
    main()
