"""The import, run whole by `dag.test()` on a small leaderboard made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.errors import ImportRefused
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard
from jouleboard_airflow.tasks import releases


def test_new_results_are_landed_known_ones_skipped_and_wrong_ones_refused(
    dags: dict[str, Any], home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_leaderboard(tmp_path / "leaderboard")
    importing = dags["import_published_results"]
    assert importing.test(run_conf={"source": str(source), "note": "first"}).state == "success"
    landed = mlenergy.current(Settings.from_environment())
    assert landed is not None

    again = importing.test(run_conf={"source": str(source)})
    assert [ti.state for ti in again.get_task_instances()] == ["skipped"]

    (source / "index.json").write_text("{")
    refused = importing.test(run_conf={"source": str(source)})
    assert refused.state == "failed"
    assert mlenergy.current(Settings.from_environment()) == landed
    assert "error: " in caplog.text and "index.json" in caplog.text


def test_without_a_source_it_says_what_to_do() -> None:
    with pytest.raises(ImportRefused, match="trigger this DAG with the folder or address"):
        releases.import_results(None, None)
