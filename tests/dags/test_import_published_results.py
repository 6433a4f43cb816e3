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


def test_without_a_source_the_public_address_is_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlenergy, "PUBLIC_ADDRESS", str(write_leaderboard(tmp_path / "leaderboard")))
    releases.import_results(None, None)
    assert mlenergy.current(Settings.from_environment()) is not None


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/data", "a page instead of data"])
def test_a_public_address_that_does_not_answer_is_one_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    if not address.startswith("http"):
        (tmp_path / "index.json").write_text("<!doctype html>")
        address = str(tmp_path)
    monkeypatch.setattr(mlenergy, "PUBLIC_ADDRESS", address)
    with pytest.raises(ImportRefused, match=r"no address or folder was given, .*index\.json: ") as refused:
        releases.import_results(None, None)
    assert "\n" not in str(refused.value) and address in str(refused.value)
