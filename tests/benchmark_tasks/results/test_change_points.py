"""The comparison of methods that find a release that changes energy: its rules, and what it simulates."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark_tasks.testing.samples import on_gpus, sample_run
from benchmarks import change_points
from benchmarks.change_points import (
    WAYS,
    Cost,
    Scatter,
    World,
    candidate,
    confirmed,
    history_of,
    pairwise,
    scatter_of,
)

NORMAL = np.random.default_rng(1).normal(size=400)
COST = Cost(start_seconds=60.0, run_seconds=30.0)


def world(servers: float, runs: float = 0.0, gpus: float = 0.0) -> World:
    """A world of normal scatter, relative standard deviations."""
    scatter = Scatter(servers * NORMAL, runs * NORMAL, gpus * NORMAL, degrees=200)
    return World(scatter, np.random.default_rng(2))


def test_scatter_is_that_of_servers_on_one_gpu() -> None:
    measured = [("A", "s1", 495.0), ("A", "s2", 505.0), ("B", "s3", 545.0), ("B", "s3", 555.0)]
    waiting = [("C", "s4", 140.0), ("C", "s5", 180.0)]
    runs = []
    for gpu, server, watts in measured + waiting:
        run = on_gpus(sample_run(power_watts=watts), gpu)
        runs.append(run.model_copy(update={"server": run.server.model_copy(update={"session_id": server})}))
    scatter = scatter_of(runs)
    assert scatter.degrees == 1
    # Two values: deviations of -1 % and +1 % from their mean, made up for the mean by sqrt(2).
    assert sorted(scatter.servers) == pytest.approx([-0.01 * 2**0.5, 0.01 * 2**0.5])
    assert sorted(scatter.runs) == pytest.approx([-(2**0.5) / 110, 2**0.5 / 110])
    assert sorted(scatter.gpus) == pytest.approx([-(2**0.5) * 5 / 105, 2**0.5 * 5 / 105])


def test_the_rule_is_that_of_the_warehouse() -> None:
    old, new = np.array([127.0, 129.0]), np.array([126.0, 126.0])
    known, half_width = 1 / 128, 0.984375 / 128
    t = change_points._t(0.9, 200)
    assert change_points._clear(old, new, known, 200, 0.9) == (t * half_width < 1 / 64)
    assert not change_points._clear(old, new, known, 200, 0.998)


def test_a_large_step_is_always_confirmed_and_an_unchanged_release_hardly_ever() -> None:
    small = world(servers=0.005)
    assert all(confirmed(small, step) for step in (-0.05, 0.05) * 20)
    assert sum(confirmed(small, 0.0) for _ in range(300)) <= 3


def test_a_candidate_is_a_false_alarm_as_often_as_its_interval_says() -> None:
    small = world(servers=0.005)
    alarms = sum(candidate(small, 0.0) for _ in range(1000)) / 1000
    assert alarms == pytest.approx(0.10, abs=0.03)


def test_runs_on_one_server_do_not_know_how_servers_differ() -> None:
    noisy = world(servers=0.005, runs=0.001)
    assert sum(pairwise(noisy, 0.0) for _ in range(200)) > 100


def test_a_history_has_its_step_where_it_says() -> None:
    for way in WAYS:
        drawn = history_of(world(servers=0.0), 0.02, way)
        per_release = np.array(drawn.values).reshape(-1, drawn.per_release)
        assert len(per_release) == (drawn.step_at + 1 if way.at_once else change_points.RELEASES)
        assert per_release[: drawn.step_at] == pytest.approx(1.0)
        assert per_release[drawn.step_at :] == pytest.approx(1.02)


def test_minutes_count_starts_and_runs() -> None:
    assert COST.minutes(servers=4) == pytest.approx(6.0)
    assert COST.minutes(servers=1, runs=3) == pytest.approx(2.5)
