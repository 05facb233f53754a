"""What a server holds: processes, files, shared memory, memory of its own."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from deuteron.testing.server import parent_of


@dataclass
class Held:
    processes: list  # below the server
    descriptors: int  # without those of slabs
    slabs: list  # files in memory or on disk that are shared with workers
    files: list  # in the server's runtime folder
    private_bytes: int  # resident, without what is shared
    resident_bytes: int
    peak_bytes: int

    def __str__(self):
        mib = {name: getattr(self, name) / (1 << 20) for name in ("private_bytes", "resident_bytes", "peak_bytes")}
        return (f"{len(self.processes)} processes, {self.descriptors} descriptors, {len(self.slabs)} slabs, {len(self.files)} files, resident "
                f"{mib['resident_bytes']:.0f} MiB ({mib['private_bytes']:.0f} private), peak {mib['peak_bytes']:.0f} MiB")


def held_by(process, runtime_folder):
    status = Path(f"/proc/{process}/status").read_text()
    links = descriptors_of(process)
    slabs = [link for link in links if "memfd:deuteron-slab" in link or ("(deleted)" in link and link.startswith(str(runtime_folder)))]
    return Held(
        processes=descendants_of(process),
        descriptors=len(links) - len(slabs),
        slabs=slabs,
        files=sorted(str(path) for path in Path(runtime_folder).rglob("*")),
        private_bytes=kilobytes(status, "RssAnon"),
        resident_bytes=kilobytes(status, "VmRSS"),
        peak_bytes=kilobytes(status, "VmHWM"),
    )


def kilobytes(status, name):
    return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M).group(1)) * 1024


def descriptors_of(process):
    links = []
    for entry in Path(f"/proc/{process}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:
            pass  # closed meanwhile
    return links


def descendants_of(process):
    parents = {int(entry.name): parent_of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found, frontier = [], {process}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found += frontier
    return sorted(found)


def wait_until(condition, timeout_s):
    """Whether it came true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
