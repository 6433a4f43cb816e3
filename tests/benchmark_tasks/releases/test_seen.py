"""Releases that were seen: each once, and unknown is not none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmark_tasks.errors import CatalogError
from benchmark_tasks.releases import seen
from benchmark_tasks.releases.seen import Seen
from benchmark_tasks.settings import Settings

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_a_release_is_seen_first_once(settings: Settings) -> None:
    seen.note("vllm", ["0.32.0"], settings, NOW - 9 * DAY)
    seen.note("vllm", ["0.32.0", "0.33.0"], settings, NOW - DAY)
    seen.note("vllm", ["0.33.0"], settings, NOW)
    seen.note("xfuser", [], settings, NOW)
    assert seen.since(settings, NOW - 7 * DAY) == [Seen("vllm", "0.33.0", NOW - DAY)]
    assert seen.since(settings, NOW) == []


def test_without_a_watch_it_is_unknown_what_there_is_to_see(settings: Settings) -> None:
    assert seen.since(settings, NOW) is None
    seen.note("vllm", ["0.32.0"], settings, NOW - 9 * DAY)
    assert seen.since(settings, NOW - 7 * DAY) is None


def test_a_damaged_file_is_unknown_and_is_left_as_it_is(settings: Settings) -> None:
    seen.note("vllm", ["0.32.0"], settings, NOW)
    file = settings.home / "releases" / "vllm.yaml"
    file.write_text("releases: [")
    assert seen.since(settings, NOW) is None
    with pytest.raises(CatalogError):
        seen.note("vllm", ["0.33.0"], settings, NOW)
    assert file.read_text() == "releases: ["
