"""Changes of energy as people look at them: listed, contested, and no longer contested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations.candidate.inputs import digest
from expectations.gate import intake
from expectations.gate.contests import LONGEST_NOTE, contests
from expectations.history.changes import changes, contest, find, withdraw
from tests.expectations.history.test_confirmation import published, row
from tests.expectations.publishing import CATALOG

ROWS = [
    row("aa-told", -0.033, confirmation="confirmed"),
    row("ab-not", 0.05, confirmation="not confirmed"),
    row("b-waits", 0.04),
    row("c-nothing", 0.001, is_candidate=False),
]
WHO: dict[str, Any] = {"who": "ada"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication with a confirmed change, one that is not, one that waits, and none."""
    home = tmp_path_factory.mktemp("changes") / "home"
    published(Settings(home=home), ROWS, "one")
    return home


@pytest.fixture
def settings(home: Path) -> Settings:
    (home / "contests" / "changes.jsonl").unlink(missing_ok=True)
    return Settings(home=home)


def states(settings: Settings) -> dict[str, str]:
    return {change.id: change.state for change in changes(settings)}


def test_candidates_and_what_reruns_told_are_listed(settings: Settings) -> None:
    assert states(settings) == {"aa-told": "confirmed", "ab-not": "not confirmed", "b-waits": "candidate"}
    assert find(settings, "aa").text.endswith(", confirmed")


def test_a_contest_counts_at_once_and_its_end_too_and_both_are_kept(settings: Settings) -> None:
    before = digest(settings, intake.read(settings), CATALOG)
    contest(settings, "aa", note="the driver\nchanged, too", **WHO)
    assert states(settings)["aa-told"] == "contested"
    said = find(settings, "aa").text
    assert said.endswith(", contested by ada (reruns: confirmed): the driver changed, too")
    assert digest(settings, intake.read(settings), CATALOG) != before
    withdraw(settings, "aa-told", note=None, who="bob")
    assert states(settings)["aa-told"] == "confirmed"
    assert digest(settings, intake.read(settings), CATALOG) == before
    lines = (settings.home / "contests" / "changes.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["who"], entry["withdrawn"]) for entry in entries] == [("ada", False), ("bob", True)]
    assert all(
        entry["at"].endswith("Z") and entry["previous_runtime_version"] == "0.32.0" for entry in entries
    )


@pytest.mark.parametrize(
    ("name", "note", "why"),
    [
        ("b-waits", "hot", "was not measured again yet"),
        ("c-nothing", "hot", "no change 'c-nothing'"),
        ("a", "hot", "2 changes begin with 'a': name one of aa-told, ab-not"),
        ("", "hot", "no change ''"),
        ("aa", " \n", "must not be empty"),
        ("aa", "x" * (LONGEST_NOTE + 1), "write at most 2000"),
        ("aa", "a\x1b[2J", "control characters"),
        ("aa", "caf\udce9", "control characters"),
    ],
)
def test_what_cannot_be_contested_is_said_in_one_line(
    settings: Settings, name: str, note: str, why: str
) -> None:
    with pytest.raises(PublicationError, match=why) as raised:
        contest(settings, name, note=note, **WHO)
    assert "\n" not in str(raised.value)
    assert contests(settings) == {}


def test_only_a_contest_is_withdrawn(settings: Settings) -> None:
    with pytest.raises(PublicationError, match="nobody contests change aa-told"):
        withdraw(settings, "aa", note=None, **WHO)


def test_a_contest_is_of_a_change_and_not_of_a_row(settings: Settings) -> None:
    """Another earlier release, measured later, makes another change of the same row."""
    contest(settings, "aa", note="hot", **WHO)
    ((_, version),) = contests(settings)
    assert version == "0.32.0"


@pytest.mark.parametrize("line", ['{"who": "ada"}', "torn {", '{"at": "yesterday"}'])
def test_a_damaged_line_stops_nothing(settings: Settings, line: str) -> None:
    entry = contest(settings, "aa", note="hot", **WHO)
    journal = settings.home / "contests" / "changes.jsonl"
    broken = json.dumps(vars(entry) | json.loads(line)) if "at" in line else line
    journal.write_text(f"{journal.read_text()}{broken}\n")
    assert contests(settings) == {entry.key: entry}
