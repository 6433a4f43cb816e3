"""Pictures that were computed at another size than the record says, as they were really measured."""

from __future__ import annotations

from pathlib import Path

from benchmark_tasks import catalog
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations.gate import intake
from expectations.gate.auditor import Auditor
from expectations.refresh import judge_runs

BINNED = Path(__file__).parents[3] / "benchmarks" / "stand_in" / "measured" / "h200-2026-11-30-pixart-binned"


def test_measured_pictures_that_were_scaled_to_their_size_are_refused(tmp_path: Path) -> None:
    """PixArt computed them all at 1,024 x 1,024, and the record does not say so."""
    settings = Settings(home=tmp_path)
    for folder in BINNED.glob("*/run.json"):
        Store(settings.raw).land_copy(folder.parent)
    _, verdicts = judge_runs(Auditor(), settings, intake.read(settings), catalog.load())
    refused = {tuple(finding.check for finding in verdict.critical) for verdict in verdicts.values()}
    assert len(verdicts) == 5
    assert refused == {("computed_size_is_recorded",)}
