"""The marts of open loops, built from sample runs whose figures can be worked out by hand."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmark_tasks.catalog import records
from benchmark_tasks.catalog.objectives import Objective
from benchmark_tasks.results.schema import Run
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_open_run, sample_run, write_sample
from benchmarks.candidate import build_candidate
from expectations.board.operations import pages
from expectations.candidate.profiles import profile


def with_latency(run: Run, ttft_p99_ms: float) -> Run:
    assert run.latency is not None and run.latency.ttft_ms is not None
    ttft = run.latency.ttft_ms.model_copy(update={"p99": ttft_p99_ms})
    return run.model_copy(update={"latency": run.latency.model_copy(update={"ttft_ms": ttft})})


def of_500_tokens(run: Run) -> Run:
    assert run.requests is not None
    return run.model_copy(update={"requests": run.requests.model_copy(update={"mean_output_tokens": 500.0})})


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """One setup: its closed loop, idle, three rates of which the highest is slow, and one that jams."""
    return [
        of_500_tokens(run)
        for run in (
            sample_run(batch_size=64, tokens_per_second=5000, power_watts=600),
            sample_open_run(batch_size=64, request_rate=0.0, power_watts=120.0),
            *(
                sample_open_run(batch_size=64, request_rate=1.0, power_watts=watts)
                for watts in (190.0, 200.0, 210.0)
            ),
            sample_open_run(batch_size=64, request_rate=5.0, power_watts=400.0),
            with_latency(sample_open_run(batch_size=64, request_rate=9.5, power_watts=590.0), 2500.0),
            sample_open_run(batch_size=64, request_rate=11.0, power_watts=600.0, sustained=False),
        )
    ]


@pytest.fixture(scope="module")
def marts(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    root = tmp_path_factory.mktemp("loads")
    opened = [run for run in runs if run.configuration.request_rate]
    profiles = [profile(run.run_id, write_sample(root / "bundles", run)) for run in opened]
    settings = Settings(home=root / "home")
    own = {"objective": "fast", "ttft_percentile": 99, "ttft_ceiling_ms": 100.0, "source": "us"}
    records.write(settings.catalog / "objectives" / "fast.yaml", Objective.model_validate(own))
    built = build_candidate(root / "candidate", settings, runs=runs, profiled=profiles)
    with duckdb.connect(str(built.database), read_only=True) as connection:
        yield connection


def rows(marts: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = marts.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_a_load_has_its_energy_its_share_and_its_interval(marts: duckdb.DuckDBPyConnection) -> None:
    idle, one, five, slow, jam = rows(marts, "from marts.energy_under_load order by request_rate")
    assert [row["request_rate"] for row in (idle, one, five, slow, jam)] == [0.0, 1.0, 5.0, 9.5, 11.0]
    assert (idle["mean_power_watts"], idle["idle_share"]) == (pytest.approx(120.0), 1.0)
    assert idle["throughput_per_second"] == 0 and idle["objective"] is None
    assert (one["runs"], one["mean_power_watts"]) == (3, pytest.approx(200.0))
    assert one["mean_power_high_watts"] - 200 == pytest.approx(4.302653 * 10 / 3**0.5, rel=1e-4)
    assert one["energy_per_output_joules"] == pytest.approx(200 / 500)
    assert one["energy_per_response_joules"] == pytest.approx(200.0)
    assert five["closed_loop_requests_per_second"] == pytest.approx(10.0)
    assert five["share_of_closed_loop"] == pytest.approx(0.5) and five["idle_power_watts"] == 120.0
    assert five["completed_requests_per_second"] == pytest.approx(5.0, rel=0.02)
    assert five["offered_requests_per_second"] == pytest.approx(5.0, rel=0.02)
    assert five["goodput_requests_per_second"] == pytest.approx(5.0, rel=0.02)
    assert [row["meets_objective"] for row in (one, five, slow, jam)] == [True, True, False, False]
    assert [row["is_sustained"] for row in (idle, one, five, slow, jam)] == [True] * 4 + [False]


def test_the_capacity_is_the_highest_load_that_meets_its_objective(marts: duckdb.DuckDBPyConnection) -> None:
    found = {row["objective"]: row for row in rows(marts, "from marts.serving_capacity")}
    chat, batch, code = found["chat"], found["batch"], found["code"]
    assert (chat["highest_request_rate"], chat["lowest_missed_rate"], chat["rates"]) == (5.0, 9.5, 4)
    assert (batch["highest_request_rate"], batch["lowest_missed_rate"]) == (9.5, 11.0)
    assert code["highest_request_rate"] == 5.0, "TTFT of 120 ms and ITL of 13 ms at the 99th percentile"
    assert chat["requests_per_kwh"] == pytest.approx(3.6e6 / 80)  # 400 W / 5 requests per second
    assert chat["throughput_per_kilowatt"] == pytest.approx(2500 / 0.4)
    assert (chat["full_request_rate"], chat["full_power_watts"]) == (9.5, pytest.approx(590.0))
    assert chat["power_share_idle"] == pytest.approx(120 / 590)
    assert chat["power_share_at_10_percent"] == pytest.approx(200 / 590)
    assert chat["power_share_at_50_percent"] == pytest.approx(400 / 590)
    assert not chat["is_met_throughout"]


def test_the_page_draws_the_curve_of_the_marts(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    values = pages.load(tmp_path, marts)
    (curve,) = values["drawn"]
    assert [load["request_rate"] for load in curve.loads] == [0.0, 1.0, 5.0, 9.5, 11.0]
    assert values["said"] == [
        "5 requests per second meet the objective chat; the next rate that was tried, 9.5, does not."
        " A request takes 80.0 J there: 45,000 per kWh."
        " Idle, with the model loaded, it draws 120 W, 20 % of its power at full load."
    ]
    assert {row["objective"] for row in curve.capacities} == {"chat", "code", "batch", "fast"}
    assert curve.capacities[0]["is_default"]
    with (tmp_path / pages.LOADS_CSV).open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["mean_power_watts"]) for row in written] == [
        pytest.approx(load["mean_power_watts"]) for load in curve.loads
    ]
    for ending in ("svg", "png"):
        assert (tmp_path / "figures" / f"{curve.stem}.{ending}").stat().st_size > 10_000


def test_unloading_pays_once_waiting_took_as_much_as_a_start(marts: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(marts, "from marts.waiting_costs")
    assert (row["servers"], row["energy_starts"], row["idle_unloaded_watts"]) == (8, 8, 83.0)
    assert (row["idle_loaded_watts"], row["idle_loaded_source"]) == (120.0, "window at rate 0")
    assert (row["start_seconds"], row["start_joules"]) == (90.0, 9000.0)
    assert row["releasing_pays_after_seconds"] == pytest.approx(9000 / 120)
    assert row["unloading_pays_after_seconds"] == 90.0, "(9,000 J - 83 W x 90 s) / 37 W is less than a start"


GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "cost-of-a-fleet.md"


def test_the_guide_s_query_says_what_a_fleet_takes_per_day(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve hours at the peak, 4.5 of 5 requests/s on each of 100 servers, and twelve at a quarter of it.

    Evenly: 200 W (1 request/s) to 400 W (5). Packed: 90 servers at 400 W, then 23; the rest draws 120 W each.
    Released: 67 servers start again in the morning, 9,000 J each. In all 24.3 million requests.
    """
    curve = "".join(f"{hour},{1 if 8 <= hour < 20 else 0.25}\n" for hour in range(24))
    (tmp_path / "curve.csv").write_text(f"hour,requests_per_second\n{curve}")
    monkeypatch.chdir(tmp_path)
    (query,) = re.findall(r"^```sql\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    days = {row.pop("requests_are"): row for row in rows(marts, query)}
    assert days == {
        "spread evenly": {"low_kwh": 480.0, "high_kwh": 960.0, "joules_per_request": 142.2},
        "packed, the rest idle": {"low_kwh": 667.7, "high_kwh": 667.7, "joules_per_request": 98.9},
        "packed, the rest released": {"low_kwh": 542.6, "high_kwh": 542.6, "joules_per_request": 80.4},
    }


def test_an_installation_has_objectives_of_its_own(marts: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(marts, "from marts.serving_capacity where objective = 'fast'")
    assert (row["ttft_ceiling_ms"], row["itl_ceiling_ms"], row["objective_source"]) == (100.0, None, "us")
    assert (row["highest_request_rate"], row["lowest_missed_rate"]) == (None, 1.0), "99 % wait up to 120 ms"


def test_an_open_loop_is_in_no_rank_and_no_comparison(marts: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(marts, "select batch_size, repeats, throughput_per_second from marts.leaderboard")
    assert row == {"batch_size": 64, "repeats": 1, "throughput_per_second": 5000.0}
    log = rows(marts, "select request_rate, is_sustained, counts_for_speed from marts.run_log")
    assert len(log) == 8 and [entry["counts_for_speed"] for entry in log].count(True) == 1
    assert [entry["is_sustained"] for entry in log].count(False) == 1
