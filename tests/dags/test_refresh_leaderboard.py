"""The refresh, run whole by `dag.test()` on sample bundles: real dbt, real gate, real publication."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run, write_sample


def states(run: Any) -> dict[str, str]:
    """State of each task of a run."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def test_landed_runs_become_a_publication_and_nothing_new_does_not(
    dags: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    from expectations.publications import query

    settings = Settings.from_environment()
    for batch_size in (8, 32):
        run = sample_run(gpu=False, batch_size=batch_size)
        Store(settings.raw).land_copy(write_sample(tmp_path / "measured", run))
    refresh = dags["refresh_leaderboard"]
    first = refresh.test(run_conf={"note": "first"})
    assert first.state == "success"
    assert states(first) == {
        "refresh": "success",
        "ask_a_person": "skipped",
        "publish_approved": "skipped",
        "copy_to_database": "skipped",
        "announce": "success",
    }
    assert query(settings, "select count(*) from leaderboard").rows == ((2,),)
    second = refresh.test(run_conf={})
    assert second.state == "success"
    assert states(second)["announce"] == "skipped"
    assert [path.name for path in sorted((home / "published").glob("[0-9]*"))] == ["1"]


def test_whoever_builds_does_so_alone_and_nobody_asks_for_ever(dags: dict[str, Any]) -> None:
    refresh = dags["refresh_leaderboard"]
    assert {refresh.get_task(name).pool for name in ("refresh", "publish_approved")} == {"duckdb_writer"}
    assert refresh.max_active_runs == 1
    assert refresh.get_task("ask_a_person").defaults == ["Reject"]
    assert 0 < refresh.params["answer_within_hours"] <= 48
