"""simulation.py: the figures of docs/simulation.md. Runs `deuteron simulate` with several loads, prints the tables as Markdown and draws
docs/images/simulation*.png. What has been simulated already (build/simulation) is not simulated again; --again does it all again.

  --check             only what the bars are about, and ends with an error if one does not hold:
                      the longest wait of large gangs is not above conservative backfill's, and the GPUs in use are at most one point
                      below EASY backfill's, at each load and with each seed. With failures, which make another history under each
                      policy, the same of the mean over the seeds (where less than a minute counts as no wait) and of the GPU time
                      that becomes finished work; and no gang is lost. Each run in which large gangs wait for longer is named
  --nodes, --jobs, --loads, --seeds   another size than docs/simulation.md has (10,000 nodes, 1,000,000 gangs)
"""
import argparse
import concurrent.futures
import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("DEUTERON_BINARY", ROOT / "build/bin/deuteron"))
RESULTS = ROOT / "build/simulation"
FAULTS = ["--node-failures", "150", "--repair", "4", "--hangs", "100000", "--checkpoint", "30"]
BACKFILLS = ["easy", "conservative", "deuteron"]
# Okabe and Ito's colours, which colour-blind people can tell apart; and a mark and a line of its own for each.
STYLES = {
    "fifo": ("#999999", "s", ":"), "polling": ("#e69f00", "v", "--"), "permit": ("#d55e00", "D", "-."), "placeholders": ("#cc79a7", "P", "-."),
    "one-group": ("#0072b2", "X", "--"), "easy": ("#56b4e9", "^", "-"), "conservative": ("#009e73", "<", "-"), "deuteron": ("#000000", "o", "-"),
}
HOURS = ([1 / 60, 10 / 60, 1, 6, 24, 168], ["1 min", "10 min", "1 h", "6 h", "1 day", "1 week"])


@dataclasses.dataclass(frozen=True)
class Run:
    nodes: int
    jobs: int
    load: float
    seed: int
    policies: tuple[str, ...] = tuple(STYLES)
    faulty: bool = True

    def __str__(self) -> str:
        return f"load {self.load}, seed {self.seed}, {'with' if self.faulty else 'without'} failures"

    def command(self) -> list[str]:
        options = {"nodes": self.nodes, "gpus-per-node": 8, "jobs": self.jobs, "load": self.load, "seed": self.seed, "policy": ",".join(self.policies)}
        return ["simulate", *[text for name, value in options.items() for text in (f"--{name}", str(value))], *(FAULTS if self.faulty else [])]

    def path(self, folder: pathlib.Path) -> pathlib.Path:
        kind = "faulty" if self.faulty else "sound"
        return folder / f"{self.nodes}x{self.jobs}-{self.load}-{self.seed}-{kind}-{len(self.policies)}.json"

    # {policy: what was measured}
    def result(self, folder: pathlib.Path = RESULTS) -> dict[str, dict]:
        path = self.path(folder)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            subprocess.run([PROGRAM, *self.command(), "--json", unfinished], check=True, timeout=3 * 3600, stdout=subprocess.DEVNULL)
            unfinished.rename(path)
        return {policy["policy"]: policy for policy in json.loads(path.read_text())["policies"]}


def simulate(runs: list[Run], processes: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        list(pool.map(Run.result, runs))


# ---- the bars


def large(policy: dict) -> dict:
    return policy["waits"][-1]


# With failures: who waits at a moment at which nobody else does was hit where others were not.
NO_WAIT = 60
# Of the GPUs, those that others have in use: with failures also by gangs that stand still, for half an hour after a hang, which is no merit.
WORTH = {False: "utilisation", True: "goodput"}


Results = dict[Run, dict[str, dict]]  # by policy


def longest(result: dict[str, dict], name: str) -> float:
    return large(result[name])["longest"]


def mean_longest(results: Results, name: str) -> float:
    return sum(longest(result, name) for result in results.values()) / len(results)


def wait_longer(results: Results) -> list[Run]:
    return [run for run, result in results.items() if longest(result, "deuteron") > longest(result, "conservative")]


# In percentage points.
def beside_easy(result: dict[str, dict], key: str) -> float:
    return 100 * (result["deuteron"][key] - result["easy"][key])


# Of one load, all with failures or all without.
def broken_bars(results: Results) -> list[str]:
    faulty = next(iter(results)).faulty
    broken = [f"{run}: {WORTH[faulty]} {points:+.2f} points beside easy" for run, result in results.items() if (points := beside_easy(result, WORTH[faulty])) < -1]
    broken += [f"{run}: {lost} gangs lost" for run, result in results.items() if (lost := result["deuteron"]["lost"]) > 0]
    if not faulty:
        return broken + [f"{run}: large gangs wait for longer than with conservative" for run in wait_longer(results)]
    if mean_longest(results, "deuteron") > max(mean_longest(results, "conservative"), NO_WAIT):
        broken.append(f"{', '.join(map(str, results))}: large gangs wait for longer than with conservative, in the mean")
    return broken


def check_row(results: Results) -> list:
    run, every = next(iter(results)), results.values()
    parts = [longest(result, "deuteron") / longest(result, "conservative") for result in every if longest(result, "conservative") > 0]
    return [run.load, "yes" if run.faulty else "no", len(every), *(f"{min(beside_easy(result, key) for result in every):+.2f}" for key in ("utilisation", "goodput")),
            *(time_text(mean_longest(results, name)) for name in BACKFILLS), f"{100 * max(parts):.0f} %" if parts else "", f"{len(wait_longer(results))} of {len(every)}"]


# Gives back the bars that do not hold.
def check(runs: list[Run]) -> list[str]:
    alike = [{run: run.result() for run in group} for _, group in itertools.groupby(runs, key=lambda run: (run.load, run.faulty))]
    print_table(["load", "failures", "seeds", "in use beside `easy`, worst", "finished work", "large, longest, mean: `easy`", "`conservative`", "`deuteron`",
                 "at most, of `conservative`'s", "longer in"], [check_row(results) for results in alike])
    for results in alike:
        for run in wait_longer(results):
            print(f"{run}: longest wait of large gangs {longest(results[run], 'conservative'):,.0f} s with conservative, "
                  f"{longest(results[run], 'deuteron'):,.0f} s with deuteron")
    return [bar for results in alike for bar in broken_bars(results)]


def measure(_options, _running):
    """The bars as rows of `make bench`, anew."""
    from table import Row

    with tempfile.TemporaryDirectory() as folder:
        for load in (0.9, 1.0):
            result = Run(10000, 1000000, load, 1, tuple(BACKFILLS), False).result(pathlib.Path(folder))
            hours = {name: large(policy)["longest"] / 3600 for name, policy in result.items()}
            use = {name: 100 * policy["utilisation"] for name, policy in result.items()}
            what, ours = f"80,000 GPUs, load {load}: ", "deuteron"
            yield Row(what + "longest wait of large gangs", hours.pop(ours), "h", hours["conservative"], peers=hours)
            yield Row(what + "GPUs in use", use.pop(ours), "%", use["easy"] - 1, lower_is_better=False, peers=use)
            yield Row(what + "a million gangs are decided", result[ours]["seconds"], "s", 120)
        lost = {name: policy["lost"] for name, policy in Run(10000, 1000000, 0.9, 1, tuple(BACKFILLS)).result(pathlib.Path(folder)).items()}
        yield Row("80,000 GPUs, load 0.9, with failures: gangs lost", lost.pop("deuteron"), "", 0, peers=lost)


# ---- tables


def time_text(seconds: float) -> str:
    return "0" if seconds < 0.5 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def print_table(head: list[str], rows: list[list]) -> None:
    for cells in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(str(cell) for cell in cells) + " |")
    print()


def wait_row(run: Run, name: str, policy: dict) -> list:
    every = policy["waits"][0]
    never = f"{every['never_started']} ({large(policy)['never_started']} large)" if every["never_started"] else 0
    return [run.load, f"`{name}`", f"{100 * policy['utilisation']:.1f} %", f"{100 * policy['held_idle']:.1f} %",
            *(time_text(every[key]) for key in ("mean", "p99", "longest")), *(time_text(large(policy)[key]) for key in ("mean", "longest")), never,
            f"{policy['seconds']:.0f} s"]


def fault_row(run: Run, name: str, policy: dict) -> list:
    return [run.load, f"`{name}`", f"{100 * policy['goodput']:.2f} %", f"{100 * policy['utilisation']:.2f} %", f"{policy['hours_lost_to_nodes']:,.0f}",
            f"{policy['hours_lost_to_hangs']:,.0f}", f"{policy['restarts']:,}", f"{policy['lost']:,}"]


def print_tables(runs: list[Run]) -> None:
    results = [(run, name, policy) for run in runs for name, policy in run.result().items()]
    print_table(["load", "policy", "in use", "held idle", "mean wait", "p99", "longest", "large: mean", "large: longest", "never started", "took"],
                [wait_row(*result) for result in results])
    print_table(["load", "policy", "goodput", "in use", "GPU hours lost to failed nodes", "to hangs", "restarts", "gangs lost"],
                [fault_row(*result) for result in results])


# ---- plots


def style(name: str) -> dict:
    colour, marker, line = STYLES[name]
    ours = name == "deuteron"
    return {"color": colour, "marker": marker, "linestyle": line, "linewidth": 2.5 if ours else 1.5, "markersize": 7, "label": name, "zorder": 3 if ours else 2}


def plot(axes, runs: list[Run], measure, **texts) -> None:
    for name in STYLES:
        axes.plot([run.load for run in runs], [measure(run.result()[name], run.result()["easy"]) for run in runs], **style(name))
    axes.set(xlabel="load: GPU time asked for, as a part of what there is", **texts)
    axes.set_xticks([run.load for run in runs])
    axes.grid(alpha=0.3)


def in_hours(axes) -> None:
    axes.set_yscale("log")
    axes.set_yticks(HOURS[0], HOURS[1])
    axes.minorticks_off()
    axes.set_ylim(bottom=0.8 / 60)


def draw(runs: list[Run], folder: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    def figure(name: str, left, right) -> None:
        page, axes = pyplot.subplots(1, 2, figsize=(12.5, 4.8))
        left(axes[0])
        right(axes[1])
        page.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=len(STYLES), frameon=False)
        page.tight_layout(rect=(0, 0.07, 1, 1))
        page.savefig(folder / name, dpi=90)

    def waits(axes) -> None:
        plot(axes, runs, lambda policy, _: max(large(policy)["longest"] / 3600, 1 / 60), title="Longest wait of gangs of more than 512 GPUs that started",
             ylabel="a minute, or more")
        in_hours(axes)

    def mean_waits(axes) -> None:
        plot(axes, runs, lambda policy, _: max(policy["waits"][0]["mean"] / 3600, 1 / 60), title="Mean wait of all gangs that started", ylabel="a minute, or more")
        in_hours(axes)

    def use(axes) -> None:
        plot(axes, runs, lambda policy, easy: 100 * (policy["utilisation"] - easy["utilisation"]), title="GPUs in use, beside EASY backfill's",
             ylabel="percentage points more or less")

    figure("simulation.png", use, waits)
    def losses(axes) -> None:
        plot(axes, runs, lambda policy, _: 100 * (1 - policy["goodput"] / policy["utilisation"]),
             title="Use that became nothing: lost to failures and hangs", ylabel="% of the GPU time in use")
        axes.set_ylim(bottom=0)

    figure("simulation-failures.png", losses, mean_waits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="the bars only")
    parser.add_argument("--again", action="store_true", help="forget what has been simulated")
    parser.add_argument("--nodes", type=int, default=10000)
    parser.add_argument("--jobs", type=int, default=1000000)
    parser.add_argument("--loads", default="0.7,0.9,1.0,1.1")
    parser.add_argument("--seeds", default="1,2", help="of the check; the tables are of the first")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    loads, seeds = [float(load) for load in options.loads.split(",")], [int(seed) for seed in options.seeds.split(",")]
    tables = [Run(options.nodes, options.jobs, load, seeds[0]) for load in loads]
    if options.check:
        runs = [Run(options.nodes, options.jobs, load, seed, tuple(BACKFILLS), faulty) for faulty in (False, True) for load in loads for seed in seeds]
    else:
        runs = tables
    if options.again:
        for run in runs:
            run.path(RESULTS).unlink(missing_ok=True)
    simulate(sorted(runs, key=lambda run: -run.load), options.processes)
    if options.check:
        sys.exit("\n".join(f"does not hold: {bar}" for bar in check(runs)) or 0)
    print_tables(runs)
    draw(runs, ROOT / "docs/images")


if __name__ == "__main__":
    main()
