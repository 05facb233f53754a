"""The rows of the comparison and how they are printed."""

import json
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    what: str
    ours: float | None
    unit: str
    bar: float | None = None
    lower_is_better: bool = True
    peers: dict = field(default_factory=dict)  # {name: value in the same unit}
    note: str = ""

    @property
    def passed(self) -> bool | None:
        if self.bar is None:
            return None
        if self.ours is None:
            return False
        return self.ours <= self.bar if self.lower_is_better else self.ours >= self.bar


def number(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def line(row: Row) -> list:
    sign = "≤" if row.lower_is_better else "≥"
    bar = f"{sign} {number(row.bar)}" if row.bar is not None else ""
    peers = ", ".join(f"{name} {number(value)}" for name, value in row.peers.items())
    ratios = [f"{row.ours / value:.2f} × {name}" for name, value in row.peers.items() if row.ours is not None and value]
    verdict = {True: "pass", False: "FAIL", None: ""}[row.passed]
    return [row.what, f"{number(row.ours)} {row.unit}", bar, peers, ", ".join(ratios), verdict, row.note]


def render(rows) -> str:
    cells = [["what", "Deuteron", "bar", "peers", "ratio", "", "note"], *map(line, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    text.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(text)


def save(rows, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dict(asdict(row), passed=row.passed) for row in rows], indent=1) + "\n")
