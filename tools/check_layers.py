#!/usr/bin/env python3
"""check_layers.py [--root FOLDER]: every include in src/ against layers.json.

Refuses: an include of a module that the file's module may not use; a header that layers.json restricts to other modules; a folder
that is not listed, or listed and not there; a list that itself contains a cycle. Prints one line per finding; exits 1 if any.
"""
import argparse
import json
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SOURCES = {".h", ".cc", ".inc"}
TEST_FILE = re.compile(r"(_test|_benchmark|_fuzzer)\.cc$|(^|/)testing/|_testing\.(h|cc)$|(^|/)fake_[a-z_]+\.(h|cc)$")


def read_layers(root: pathlib.Path) -> tuple[dict[str, set[str]], list[dict]]:
    layers = json.loads((root / "layers.json").read_text())
    names = [module["name"] for module in layers["modules"]]
    allowed = {}
    for module in layers["modules"]:
        uses = module["may_use"]
        allowed[module["name"]] = set(names) if uses == "everything" else set(uses)
        allowed[module["name"]].discard(module["name"])
    return allowed, layers["restricted_headers"]


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """One cycle as a list of names, or an empty list."""
    done, path = set(), []

    def visit(name: str) -> list[str]:
        if name in path:
            return path[path.index(name):] + [name]
        if name in done:
            return []
        path.append(name)
        for other in sorted(graph.get(name, ())):
            cycle = visit(other)
            if cycle:
                return cycle
        path.pop()
        done.add(name)
        return []

    for name in graph:
        cycle = visit(name)
        if cycle:
            return cycle
    return []


def check_list(allowed: dict[str, set[str]], root: pathlib.Path) -> list[str]:
    findings = []
    for name, uses in allowed.items():
        findings += [f"layers.json: {name} may use {other}, which is not a module" for other in sorted(uses - set(allowed))]
        if not (root / "src" / name).is_dir():
            findings.append(f"layers.json: module {name} is listed, but there is no src/{name}")
    for folder in sorted((root / "src").iterdir()):
        if folder.is_dir() and folder.name not in allowed:
            findings.append(f"src/{folder.name}: not listed in layers.json")
    cycle = find_cycle(allowed)
    if cycle:
        findings.append("layers.json: cycle: " + " -> ".join(cycle))
    return findings


def check_include(module: str, name: str, is_test: bool, allowed: dict[str, set[str]], restricted: list[dict]) -> str | None:
    for rule in restricted:
        if not re.fullmatch(rule["header"], name):
            continue
        if rule.get("only_in_tests") and not is_test:
            return f"{name} belongs in tests only"
        if "only_in" in rule and module not in rule["only_in"]:
            return f"{name} may be included only in: {', '.join(rule['only_in'])}"
    target = name.split("/")[0]
    if "/" in name and target in allowed and target != module and target not in allowed[module]:
        return f"{module} may not use {target}"
    return None


def check_sources(root: pathlib.Path, allowed: dict[str, set[str]], restricted: list[dict]) -> tuple[list[str], int]:
    findings, count = [], 0
    for path in sorted((root / "src").rglob("*")):
        relative = path.relative_to(root / "src")
        module = relative.parts[0]
        if path.suffix not in SOURCES or module not in allowed:
            continue
        is_test = bool(TEST_FILE.search(str(relative)))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            count += 1
            problem = check_include(module, match[2], is_test, allowed, restricted)
            if problem:
                findings.append(f"src/{relative}:{number}: {problem}")
            elif match[1] == '"' and ("/" not in match[2] or match[2].startswith(".")):
                findings.append(f'src/{relative}:{number}: "{match[2]}" is not a path from src/')
    return findings, count


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    allowed, restricted = read_layers(root)
    findings = check_list(allowed, root)
    more, count = check_sources(root, allowed, restricted)
    findings += more
    for finding in findings:
        print(finding)
    print(f"check_layers: {len(allowed)} modules, {count} includes, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
