"""What a plan will cost: what it cost before, or unknown."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.plan.sweep import Plan, Sweep, SweepPoint
from benchmark_tasks.settings import Settings
from expectations.history.costs import estimate, question, reason_to_ask
from tests.expectations.publishing import make_candidate, publish

SWEEP = Sweep(
    model_id="Qwen/Qwen3-8B",
    weight_precision="bfloat16",
    task="lm-arena-chat",
    gpu_model="H200",
    num_gpus=1,
    runtime="vllm",
    runtime_version="0.33.0",
    distribution="vllm",
    weights="real",
    points=tuple(SweepPoint(batch_size=size, repeats=3) for size in (8, 16, 32)),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A publication in which batch 8 cost 0.1 GPU-hours and 0.05 kWh per run, batch 16 no known energy."""
    candidate = make_candidate(tmp_path / "candidate.duckdb", rows=1)
    ids = [SWEEP.configuration(point).configuration_id for point in SWEEP.points]
    with duckdb.connect(str(candidate)) as connection:
        connection.execute(
            "create table marts.configuration_costs (configuration_id varchar, machine_hours_per_run double,"
            " gpu_hours_per_run double, energy_kwh_per_run double)"
        )
        rows = [[ids[0], 0.1, 0.1, 0.05], [ids[1], 0.2, 0.2, None]]
        connection.executemany("insert into marts.configuration_costs values (?, ?, ?, ?)", rows)
    settings = Settings(home=tmp_path / "home")
    publish(settings, candidate, "first")
    return settings


def test_what_was_measured_is_added_up_and_the_rest_is_unknown(settings: Settings) -> None:
    found = estimate(settings, Plan(sweeps=(SWEEP,)))
    assert (found.configurations, found.runs) == (3, 9)
    assert found.gpu_hours == pytest.approx(0.9)
    assert found.energy_kwh == pytest.approx(0.15)
    assert (found.unknown, found.unknown_on_gpus, found.without_energy) == (1, 1, 1)
    assert str(found) == (
        "3 configurations, 9 runs; 2 measured before: 0.9 hours, 0.9 GPU-hours, 0.15 kWh without 1 of them, "
        "whose energy is unknown; 1 never measured: cost unknown"
    )


def test_before_the_first_publication_all_of_it_is_unknown(tmp_path: Path) -> None:
    found = estimate(Settings(home=tmp_path), Plan(sweeps=(SWEEP,)))
    assert (found.unknown, found.gpu_hours, found.energy_kwh) == (3, None, None)
    assert str(found) == "3 configurations, 9 runs; 3 never measured: cost unknown"


def test_a_person_is_asked_above_the_limit_or_when_gpu_time_is_unknown(settings: Settings) -> None:
    cheap = estimate(settings, Plan(sweeps=(SWEEP.model_copy(update={"points": SWEEP.points[:2]}),)))
    assert reason_to_ask(cheap, 1.0) is None
    assert reason_to_ask(cheap, 0.8) == "0.9 GPU-hours are above the limit of 0.8"
    partly_unknown = estimate(settings, Plan(sweeps=(SWEEP,)))
    assert str(reason_to_ask(partly_unknown, 1.0)).startswith("the GPU time of 1 configuration is unknown")
    assert reason_to_ask(partly_unknown, float("inf")) is None


def test_the_question_shows_every_sweep_as_plain_text(tmp_path: Path) -> None:
    estimated = estimate(Settings(home=tmp_path), Plan(sweeps=(SWEEP,)))
    subject, body = question(estimated, "the reason", ["`\nhostile`", "other"])
    assert subject.startswith("Measure this? 3 configurations")
    assert "because the reason." in body
    assert "- `??hostile?`\n- `other`" in body
    assert "clear the task `plan` to be asked again" in body
    _, body = question(estimated, "the reason", ["other"], canaries=["one"], clear="plan_canaries")
    assert "First the canaries:\n\n- `one`\n\nThen, as far as these may have changed:\n\n- `other`" in body
    assert "clear the task `plan_canaries` to be asked again" in body
