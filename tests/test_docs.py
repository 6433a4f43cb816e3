"""Files, folders and Python names that the documentation mentions exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"))
    if path.name != "CHANGELOG.md" and "adr" not in path.parts  # these tell of what was there then
)
MADE = {"build", "var", "jouleboard.egg-info"}
"""Folders that commands make."""
FOLDERS = (path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._")
TOP = "|".join(sorted(set(FOLDERS) - MADE))
PLACE = re.compile(rf"(?:{TOP})/[\w./-]*")
NAME = re.compile(r"(?:benchmark_tasks|expectations|jouleboard_airflow|benchmarks)(?:\.\w+)+")


def quoted(page: str) -> set[str]:
    """The texts between backticks, without fences."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    return set(re.findall(r"`([^`\n]+)`", text))


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_mentions_exists(page: str) -> None:
    texts = quoted(page)
    places = {text.rstrip("/") for text in texts if PLACE.fullmatch(text)}
    names = {text for text in texts if NAME.fullmatch(text)}
    missing = [text for text in places if not (ROOT / text).exists()]
    missing += [text for text in names if not exists(text)]
    assert sorted(missing) == []
