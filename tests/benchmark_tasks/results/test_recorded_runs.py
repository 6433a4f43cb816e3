"""What travels with the repository can be read by today's code: recorded bundles and campaign plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks import catalog
from benchmark_tasks.plan.deployment import require_weights
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.results import bundle
from benchmark_tasks.vocabulary import EnergySource, RunStatus, Weights

RECORDED = Path(__file__).parents[3] / "recorded_runs"
BUNDLES = sorted(path.parent for path in RECORDED.rglob("run.json"))
WITHOUT_ENERGY = {"01a22876-0037-7932-9e97-8c737b4dbdbc"}
"""Settled, but the energy counter was not read for over a second in the window."""
LARGEST_BYTES = 2_000_000
"""Largest are runs that keep the times of all tokens of two minutes."""
FOLDER_BYTES = 60_000_000
PLANS = sorted((RECORDED / "plans").glob("*.json"))


def test_there_are_some_and_the_folder_stays_small() -> None:
    assert BUNDLES and PLANS
    assert sum(path.stat().st_size for path in RECORDED.rglob("*") if path.is_file()) < FOLDER_BYTES


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_a_recorded_bundle_is_whole_small_and_says_where_it_comes_from(path: Path) -> None:
    run = bundle.verify(path)
    assert run.run_id == path.name and run.provenance.git_commit and run.provenance.gpus
    windows = [window for window in (run.window_steady, run.window_mlenergy) if window is not None]
    settled = run.status is RunStatus.COMPLETED and any(window.settled for window in windows)
    counted = run.energy_source is EnergySource.NVML_COUNTER
    assert counted is (run.run_id not in WITHOUT_ENERGY) or not settled
    assert sum(file.stat().st_size for file in path.iterdir()) < LARGEST_BYTES


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_names_what_the_catalog_knows(path: Path) -> None:
    known = catalog.load()
    for sweep in Plan.model_validate_json(path.read_text()).sweeps:
        assert sweep.gpu_model in known.gpus
        tasks = known.model(sweep.model_id).tasks
        assert any(d.gpu_model == sweep.gpu_model for d in tasks[sweep.task].deployments)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_campaign_measures_with_the_stand_in(path: Path) -> None:
    known = catalog.load()
    for sweep in Plan.model_validate_json(path.read_text()).sweeps:
        assert sweep.weights is Weights.STAND_IN
        require_weights(known.model(sweep.model_id), sweep.weights, sweep.runtime)
