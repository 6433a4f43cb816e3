"""The simulated year: the gate accepts what it lands, or nothing would be published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmarks import measured_again
from expectations.refresh import judge_now

RECORDED = "h200-2026-11-26-multimodal/01a217af-f926-7bcd-8420-5cca0830eeb7"


def test_a_run_that_is_measured_again_is_accepted_and_no_copy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store = Store(settings.raw)
    store.land_copy(measured_again.RECORDED / RECORDED)
    for month, version in enumerate(("0.32.0", "0.33.0"), 1):
        at = datetime(2026, month, 1, tzinfo=UTC)
        assert measured_again.land(store, RECORDED, version, at, month) == 1
    assert [verdict.reasons for verdict in judge_now(settings).values()] == 3 * [""]
