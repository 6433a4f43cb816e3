"""A step of energy between releases, from its runs to the word "confirmed", on real marts.

The bundles are samples with a known power. How a candidate is measured: `test_canaries.py`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.plan import Sweep
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import on_gpus, sample_run, write_sample
from expectations.history.confirmation import newly_told
from expectations.publications import query
from expectations.refresh import refresh
from jouleboard_airflow.tasks import confirming

GPU = "GPU-0"
WATTS = {"0.32.0": 500.0, "0.33.0": 500.0, "0.34.0": 525.0}
"""Power under each release; all are equally fast. 5 % are the known step."""
FIRST = sample_run()
TOLD = "select runtime_version, is_candidate, confirmation from release_history order by release_position"


def measure(versions: list[str], home: Path, hours: int, campaign: str | None = None) -> None:
    """Land one server per entry, one after the other on one GPU, with a scatter of 0.2 %."""
    settings = Settings.from_environment()
    for number, version in enumerate(versions):
        began = FIRST.started_at + timedelta(hours=hours, minutes=10 * number)
        run = sample_run(
            runtime_version=version,
            power_watts=WATTS[version] + number % 2,
            started_at=began,
            finished_at=began + timedelta(seconds=90),
            campaign_id=campaign,
        )
        Store.of(settings).land_copy(write_sample(home / "measured", on_gpus(run, GPU)))


def test_a_step_is_a_candidate_until_both_releases_were_measured_in_turns(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOULEBOARD__FLEET", "H200:1")
    settings, form = Settings.from_environment(), {"gpu_model": "H200", "note": None, confirming.BUDGET: 2.0}
    form[confirming.BASIS] = confirming.PUBLISHED
    measure([version for version in WATTS for _ in range(3)], home, hours=0)
    refresh(settings)
    assert query(settings, TOLD).rows == (
        ("0.32.0", False, "not rerun"),
        ("0.33.0", False, "not rerun"),
        ("0.34.0", True, "not rerun"),
    )

    (planned,) = confirming.plan_confirmations(form, "run")
    sweeps = [Sweep.model_validate(sweep) for sweep in (planned["sweep"], *planned["then"])]
    versions = [sweep.runtime_version for sweep in sweeps]
    assert versions == ["0.33.0", "0.34.0", "0.34.0", "0.33.0"]
    assert {sweep.configuration(sweep.points[0]) for sweep in sweeps} == {FIRST.configuration}

    measure(versions, home, hours=24, campaign=sweeps[0].campaign_id)
    refresh(settings)
    assert query(settings, TOLD).rows[-1] == ("0.34.0", True, "confirmed")
    (line,) = newly_told(settings, 1).lines
    assert line.startswith("vLLM 0.34.0: energy per token +") and line.endswith("confirmed")
    site = settings.published / "current" / "site"
    assert "confirmed" in (site / "releases" / "vllm-0.34.0.html").read_text()
    assert line in (site / "feed.xml").read_text()
    with pytest.raises(AirflowSkipException, match="no change waits for reruns"):
        confirming.plan_confirmations(form, "another")
