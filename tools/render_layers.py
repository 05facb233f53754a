#!/usr/bin/env python3
"""render_layers.py [--check]: writes src/README.md from layers.json, or tells whether it is current."""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "src/README.md"
HEAD = """# The modules

Made from `layers.json` by `tools/render_layers.py`; do not edit. A module is one folder, one small `CMakeLists.txt` and one
static library. It includes only what its line lists: CMake refuses other dependencies, `tools/check_layers.py` other includes.

| module | what it is | may use |
|---|---|---|
"""


def uses_text(uses) -> str:
    return "everything" if uses == "everything" else " ".join(uses) or "–"


def rule_text(rule: dict) -> str:
    header = rule["header"].replace("\\", "").replace(".*", "…").replace("|", ", ").replace("(", "").replace(")", "")
    where = "tests" if rule.get("only_in_tests") else ", ".join(f"`{module}`" for module in rule["only_in"])
    return f"- `{header}`: only in {where}\n"


def render() -> str:
    layers = json.loads((ROOT / "layers.json").read_text())
    rows = [f"| `{m['name']}` | {m['purpose']} | {uses_text(m['may_use'])} |\n" for m in layers["modules"]]
    rules = [rule_text(rule) for rule in layers["restricted_headers"]]
    return HEAD + "".join(rows) + "\nHeaders of libraries that must not spread:\n\n" + "".join(rules)


def main() -> int:
    page = render()
    if "--check" not in sys.argv:
        PAGE.write_text(page)
        return 0
    if not PAGE.exists() or PAGE.read_text() != page:
        print("render_layers: src/README.md is not current: run tools/render_layers.py")
        return 1
    print("render_layers: src/README.md is current")
    return 0


if __name__ == "__main__":
    sys.exit(main())
