"""The documents name files that exist, and the page made from layers.json is current."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Decision records tell what was true on their date.
DATED = re.compile(r"docs/design/\d{4}-")
FOLDERS = ("src", "python", "tests", "tools", "docs", "cmake", "examples", "bench", "include", ".ci")
IN_CODE_MARKS = re.compile(r"`([^`\s]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def tracked(*patterns: str) -> list[str]:
    answer = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.split()


def documents() -> list[str]:
    return [name for name in tracked("*.md") if not DATED.match(name) and (ROOT / name).exists()]


def named_paths(text: str) -> set[str]:
    """What is written as `folder/…/file` in code marks: placeholders (…, *, <x>, {a,b}, CAPITALS) are no paths."""
    found = set()
    for word in IN_CODE_MARKS.findall(text):
        word = word.rstrip(".,;:")
        if word.split("/")[0] in FOLDERS and "/" in word and not re.search(r"[*<>{}$…|=]", word):
            found.add(re.sub(r":\d+$", "", word))
    return found


@pytest.mark.parametrize("document", documents())
def test_named_files_exist(document):
    missing = sorted(path for path in named_paths((ROOT / document).read_text()) if not (ROOT / path).exists())
    assert not missing, f"{document} names what is not there: {missing}"


@pytest.mark.parametrize("document", documents())
def test_links_lead_somewhere(document):
    folder = (ROOT / document).parent
    links = [link for link in LINK.findall((ROOT / document).read_text()) if "://" not in link and not link.startswith("mailto:")]
    missing = [link for link in links if not (folder / link).exists()]
    assert not missing, f"{document} links to what is not there: {missing}"


def test_the_finder_finds():
    assert named_paths("see `src/base/status.h`, `src/x/y.cc:12` and `tests/*/x`, `a/b`") == {"src/base/status.h", "src/x/y.cc"}


def test_src_readme_is_current():
    answer = subprocess.run([sys.executable, "tools/render_layers.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stdout


def test_life_documents_are_there():
    for name in ("life-of-a-query", "life-of-a-gang", "life-of-a-failure"):
        text = (ROOT / f"docs/{name}.md").read_text()
        assert len(named_paths(text)) >= 5, f"docs/{name}.md names hardly any file"
