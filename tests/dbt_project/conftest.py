"""The warehouse, built three times: from samples beside published data, from designed runs, from nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.imports import mlenergy
from benchmark_tasks.results.identity import Comparability, Configuration
from benchmark_tasks.results.schema import Failure, Run, Window
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import write_leaderboard
from benchmark_tasks.testing.samples import on_gpus, sample_run
from benchmark_tasks.vocabulary import RunStatus, Task, WeightPrecision
from benchmarks.candidate import build_candidate
from benchmarks.published import published_folder
from expectations.candidate.build import BuildResult
from expectations.candidate.profiles import Profile
from tests.dbt_project.designed import build_designed_warehouse
from tests.shared import made_once

REFUSED = "energy counter and integral of power differ"
PUBLICATION = {
    "publication_number": 1,
    "published_at": datetime(2026, 11, 20, tzinfo=UTC),
    "git_commit": None,
    "note": "first",
    "row_count": 10,
    "run_count": 1,
    "gate_verdict": "accepted",
}
PREVIOUS_ROW = {
    "publication_number": 1,
    "leaderboard_id": "withdrawn",
    "data_source": "jouleboard",
    "nickname": "A model that is no longer here",
    "energy_per_output_joules": 0.5,
}


@dataclass(frozen=True)
class Warehouse:
    """A built candidate and the runs that went into it, by name."""

    built: BuildResult
    runs: dict[str, Run]

    def connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.built.database), read_only=True)

    def copy(self) -> duckdb.DuckDBPyConnection:
        """A database in memory with the marts, to be changed by a test."""
        connection = duckdb.connect()
        connection.execute("create schema marts")
        connection.execute(f"attach '{self.built.database}' as candidate (read_only)")
        for (table,) in connection.execute(
            "select table_name from information_schema.tables"
            " where table_catalog = 'candidate' and table_schema = 'marts'"
        ).fetchall():
            connection.execute(f"create table marts.{table} as from candidate.marts.{table}")
        return connection


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Sample runs of ours, and the published data where it is (a small made-up leaderboard elsewhere)."""
    return Warehouse(*made_once(tmp_path_factory, "warehouse", build_warehouse))


@pytest.fixture(scope="session")
def marts(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A fresh install: no run, no import, no publication."""
    return Warehouse(made_once(tmp_path_factory, "empty-warehouse", build_empty_warehouse), {})


@pytest.fixture(scope="session")
def designed_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Runs whose figures can be worked out by hand."""
    return Warehouse(made_once(tmp_path_factory, "designed-warehouse", build_designed_warehouse), {})


@pytest.fixture(scope="session")
def published(warehouse: Warehouse, marts: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The marts, where they hold the published data; a skip (a failure where it is required) elsewhere."""
    if published_folder() is None:
        message = "ML.ENERGY's published results are not here (set JOULEBOARD_PUBLISHED_V3)"
        if os.environ.get("JOULEBOARD_REQUIRE_PUBLISHED_V3") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return marts


def build_empty_warehouse(root: Path) -> BuildResult:
    """The candidate of a fresh install, in an empty folder."""
    return build_candidate(root / "candidate", Settings(home=root / "home"))


def build_warehouse(root: Path) -> tuple[BuildResult, dict[str, Run]]:
    """The candidate of the sample runs, in an empty folder, and the runs by name."""
    settings = Settings(home=root / "home")
    source = published_folder() or write_leaderboard(root / "made-up")
    mlenergy.import_results(str(source), settings)
    runs = sample_runs()
    built = build_candidate(
        root / "candidate",
        settings,
        runs=runs.values(),
        refused={runs["refused"].run_id: REFUSED, runs["failed"].run_id: "the run did not complete"},
        publications=[PUBLICATION],
        previous=[PREVIOUS_ROW],
        profiled=[
            Profile(
                runs["batch 32 repeat 0"].run_id,
                start_seconds=-4.0,
                interval_seconds=10.0,
                power_watts=(80.0, None, 500.0),
                bin_tokens=4,
                responses=(0, 3, 1),
            )
        ],
        unit_tests=True,
    )
    return built, runs


def sample_runs() -> dict[str, Run]:
    """Runs on an H200 and without a GPU: repeats, versions, refused, failed, unsettled, FP8, two GPUs."""
    base = sample_run()
    configuration, comparability = base.configuration, base.comparability
    capped = comparability.model_copy(update={"power_limit_watts": 500.0})
    unsettled = Window(settled=False, reason="throughput still rises")
    return {
        **{f"batch 32 repeat {i}": sample_run(power_watts=500.0 + i) for i in range(3)},
        **{
            f"batch 64 repeat {i}": sample_run(batch_size=64, power_watts=600.0 + i, tokens_per_second=8000)
            for i in range(3)
        },
        **{
            f"newer repeat {i}": sample_run(runtime_version="0.27.0", power_watts=400.0 + i) for i in range(3)
        },
        "two repeats 0": sample_run(batch_size=128, power_watts=650, tokens_per_second=12000),
        "two repeats 1": sample_run(batch_size=128, power_watts=655, tokens_per_second=12000),
        "capped": sample_run(power_watts=300.0, comparability=capped),
        "no GPU": sample_run(gpu=False, tokens_per_second=40.0, batch_size=4),
        "refused": sample_run(power_watts=5.0),
        "failed": _failed(configuration, comparability),
        "unsettled": sample_run(batch_size=8, window_steady=unsettled, window_mlenergy=unsettled),
        "two GPUs": sample_run(
            configuration=configuration.model_copy(update={"num_gpus": 2}), power_watts=900
        ),
        "FP8": sample_run(
            configuration=configuration.model_copy(update={"weight_precision": WeightPrecision.FP8}),
            power_watts=450,
        ),
        **_on_two_gpus(configuration),
        "hard task": sample_run(configuration=configuration.model_copy(update={"task": Task.GPQA})),
        "image": _image(base),
        "image chat": _multimodal(base, Task.IMAGE_CHAT, power_watts=480.0),
        "video chat": _multimodal(base, Task.VIDEO_CHAT, power_watts=600.0),
    }


def _multimodal(base: Run, task: Task, power_watts: float) -> Run:
    """The sibling of the sample's text model, whose pictures take time and processors to prepare."""
    here = {"model_id": "Qwen/Qwen3-VL-8B-Instruct", "task": task, "batch_size": 16}
    busy = {
        "mean_preprocessing_ms": 40.0,
        "mean_kv_cache_usage": 0.3,
        "cpu_seconds": 180.0,
        "frontend_cpu_seconds": 150.0,
        "multimodal_cache_hits": 0,
    }
    return sample_run(
        power_watts=power_watts,
        tokens_per_second=2000.0,
        configuration=base.configuration.model_copy(update=here),
        comparability=base.comparability.model_copy(update={"request_set_id": f"synthetic-{task}"}),
        server=base.server.model_copy(update=busy),
    )


def _on_two_gpus(configuration: Configuration) -> dict[str, Run]:
    """One model at two batch sizes. GPU B takes 4 % less than A, the later version 1 % less than the earlier.

    Batch 24: the earlier version on both GPUs, the later on B alone. Batch 48: one version on A, one on B.
    Batch 72: both versions on both GPUs, equal on each; the earlier mostly on A, the later mostly on B.
    """
    measured = [
        (24, "0.26.0", "A", "s1", 400.0),
        (24, "0.26.0", "A", "s1", 402.0),
        (24, "0.26.0", "B", "s2", 384.0),
        (24, "0.26.0", "B", "s3", 386.0),
        (24, "0.27.0", "B", "s4", 380.0),
        (24, "0.27.0", "B", "s4", 382.0),
        (48, "0.26.0", "A", "s5", 500.0),
        (48, "0.26.0", "A", "s5", 502.0),
        (48, "0.27.0", "B", "s6", 475.0),
        (48, "0.27.0", "B", "s6", 477.0),
        (72, "0.26.0", "A", "s7", 599.0),
        (72, "0.26.0", "A", "s7", 600.0),
        (72, "0.26.0", "A", "s7", 601.0),
        (72, "0.26.0", "B", "s8", 576.0),
        (72, "0.27.0", "A", "s9", 600.0),
        (72, "0.27.0", "B", "s10", 575.0),
        (72, "0.27.0", "B", "s10", 576.0),
        (72, "0.27.0", "B", "s10", 577.0),
    ]
    runs = {}
    for number, (batch_size, version, gpu, server, watts) in enumerate(measured):
        here = {"model_id": "Qwen/Qwen3-14B", "task": Task.GPQA, "batch_size": batch_size}
        run = sample_run(
            configuration=configuration.model_copy(update=here), runtime_version=version, power_watts=watts
        )
        runs[f"on two GPUs {number}"] = on_gpus(run, gpu).model_copy(
            update={"server": run.server.model_copy(update={"session_id": server})}
        )
    return runs


def _failed(configuration: Configuration, comparability: Comparability) -> Run:
    return sample_run(
        configuration=configuration,
        comparability=comparability,
        status=RunStatus.FAILED,
        requests=None,
        window_mlenergy=None,
        window_steady=None,
        latency=None,
        failure=Failure(phase="server-start", error="ServerDied", message="exit 1"),
    )


def _image(base: Run) -> Run:
    """Images on the same GPU: 30,000 J over 60 images in 60 s, two at a time."""
    assert base.window_steady is not None
    window = base.window_steady.model_copy(update={"output_tokens": None, "output_items": 60})
    return sample_run(
        configuration=Configuration(
            model_id="black-forest-labs/FLUX.1-dev",
            weight_precision=WeightPrecision.BFLOAT16,
            task=Task.TEXT_TO_IMAGE,
            gpu_model="H200",
            num_gpus=1,
            batch_size=2,
            inference_steps=28,
            height=1024,
            width=1024,
        ),
        window_steady=window,
        window_mlenergy=window,
    )
