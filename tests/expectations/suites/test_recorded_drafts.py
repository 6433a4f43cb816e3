"""What real servers counted of their drafts passes the gate, also where every drafted token was accepted."""

from __future__ import annotations

from pathlib import Path

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations.gate import intake
from expectations.gate.auditor import Auditor
from expectations.refresh import judge_runs

RECORDED = Path(__file__).parents[3] / "recorded_runs" / "h200-2026-11-30-speculation-accepted"


def test_recorded_drafts_are_accepted_by_the_gate(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for bundle in sorted(path.parent for path in RECORDED.rglob("run.json")):
        Store(settings.raw).land_copy(bundle)
    audit, verdicts = judge_runs(Auditor(), settings, intake.read(settings), catalogs.load())
    assert audit.critical == ()
    assert len(verdicts) == 10 and all(verdict.accepted for verdict in verdicts.values())
