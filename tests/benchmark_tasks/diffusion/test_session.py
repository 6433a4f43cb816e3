"""A sweep of images or videos from lock to landed bundle, with a process that generates nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.diffusion import generator as diffusion
from benchmark_tasks.errors import CatalogError, JouleboardError, OutOfMemory, ServerDied, ServerNeverHealthy
from benchmark_tasks.plan import single_sweep
from benchmark_tasks.plan.procedure import DIFFUSION_CPU_PROCEDURE
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.results import bundle
from benchmark_tasks.run import measure
from benchmark_tasks.runtimes.kinds import MOCK
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import landed
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.testing.waiting import until
from benchmark_tasks.vocabulary import EnergySource, RunStatus, Task, Weights

QUICK = DIFFUSION_CPU_PROCEDURE.model_copy(
    update={
        "minimum_window_seconds": 1.0,
        "long_window_seconds": 2.0,
        "maximum_seconds": 4.0,
        "drift_limit": 100.0,  # on a busy machine anything drifts; that is tested without one
        "server_start_seconds": 60.0,
    }
)


def sweep(*batch_sizes: int, **changes: object) -> Sweep:
    made = single_sweep(
        load(),
        model_id="jouleboard/pixart-tiny",
        task=Task.TEXT_TO_IMAGE,
        runtime_version="0.0.1",
        gpu_model="none",
        num_gpus=0,
        batch_sizes=batch_sizes or (4,),
    )
    return Sweep.model_validate(
        made.model_dump() | {"distribution": MOCK, "procedure": QUICK, "campaign_id": "test"} | changes
    )


def go(settings: Settings, wanted: Sweep, **more: object) -> tuple[Path, ...]:
    return measure(wanted, settings, say=lambda line: None, **more).landed  # type: ignore[arg-type]


def test_one_pipeline_serves_every_batch_size(settings: Settings) -> None:
    paths = go(settings, sweep(1, 4))
    runs = landed(settings)
    assert [(run.status, run.configuration.batch_size) for run in runs] == [
        (RunStatus.COMPLETED, 1),
        (RunStatus.COMPLETED, 4),
    ]
    assert len({run.server.session_id for run in runs}) == 1
    assert [phase.name for phase in runs[0].phases] == ["server-start", "warm-up", "measure"]
    assert [phase.name for phase in runs[1].phases] == ["warm-up", "measure"]
    assert all((path / bundle.SAMPLE_FILE).stat().st_size for path in paths)


def test_a_run_says_what_was_generated(settings: Settings) -> None:
    [path] = go(settings, sweep(4))
    [run] = landed(settings)
    made = run.configuration
    assert (made.inference_steps, made.height, made.width, made.num_frames) == (4, 64, 64, None)
    assert run.comparability.weights is Weights.RANDOM
    assert run.comparability.request_set_id.startswith("synthetic-prompts-")
    window = run.window_steady
    assert window.settled and window.end_seconds - window.start_seconds >= 1
    assert window.output_items == window.completed_requests == 4 * window.turnovers
    assert window.output_tokens is None and run.window_mlenergy is None and run.client is None
    assert (run.requests.output_tokens, run.requests.failed) == (None, 0)
    assert not run.sample.blank
    items = pq.read_table(path / bundle.REQUESTS_FILE).to_pylist()
    assert len(items) == run.requests.completed == run.requests.sent
    assert [item["slot"] for item in items[:4]] == [0, 1, 2, 3]
    inside = [item for item in items if item["sent_seconds"] >= window.start_seconds]
    assert len(inside) == window.output_items
    took = [item["finished_seconds"] - item["sent_seconds"] for item in inside]
    assert min(took) * 1e3 <= run.latency.e2e_ms.p50 <= max(took) * 1e3


def test_a_run_of_the_stand_in_says_what_was_drawn(settings: Settings) -> None:
    go(settings, sweep(4, weights=Weights.STAND_IN))
    [run] = landed(settings)
    assert run.comparability.weights is Weights.STAND_IN
    assert run.provenance.stand_in is not None and run.provenance.stand_in.recipe == "stand-in.1"


def test_without_a_counter_a_run_has_speed_and_no_energy(settings: Settings) -> None:
    go(settings, sweep(4))
    [run] = landed(settings)
    assert run.window_steady.energy is None and run.energy_source is EnergySource.NONE
    assert "no GPU energy counter" in run.energy_absent_reason


def test_with_a_counter_the_window_has_its_energy(settings: Settings) -> None:
    procedure = QUICK.model_copy(update={"idle_seconds": 0.3, "target_relative_interval": 0.5})
    go(settings, sweep(4), meter=ReplayMeter(lambda seconds: 400.0), procedure=procedure)
    [run] = landed(settings)
    energy = run.window_steady.energy
    seconds = run.window_steady.end_seconds - run.window_steady.start_seconds
    assert energy.counter_joules == pytest.approx(400 * seconds, rel=0.02)
    assert energy.integral_joules == pytest.approx(energy.counter_joules, rel=0.02)
    assert run.device.idle_watts_loaded == run.device.idle_watts_before_server == 400
    assert all(phase.joules is not None for phase in run.phases)


def test_a_picture_of_one_colour_is_told_and_recorded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "paints-black")
    told: list[str] = []
    measure(sweep(4), settings, say=told.append)
    [run] = landed(settings)
    assert run.status is RunStatus.COMPLETED and run.sample.blank
    assert "the sample has a single colour" in told[-1]


def test_without_a_sample_nothing_is_said_of_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "has-no-sample")
    [path] = go(settings, sweep(4))
    [run] = landed(settings)
    assert run.sample is None and not (path / bundle.SAMPLE_FILE).exists()


def test_what_never_settles_is_recorded_as_such(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "slows")
    procedure = QUICK.model_copy(update={"drift_limit": 0.01, "maximum_seconds": 0.5})
    go(settings, sweep(4, procedure=procedure))
    [run] = landed(settings)
    assert run.status is RunStatus.COMPLETED and not run.window_steady.settled
    assert "never settled" in run.window_steady.reason and run.latency is None


def test_a_slow_batch_in_the_middle_is_not_in_a_window_that_settled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "stumbles")
    [path] = go(settings, sweep(4, procedure=QUICK.model_copy(update={"drift_limit": 0.3})))
    [run] = landed(settings)
    requests = pq.read_table(path / bundle.REQUESTS_FILE).to_pandas()
    slow = (requests["finished_seconds"] - requests["sent_seconds"]).idxmax()
    window = run.window_steady
    assert requests["finished_seconds"][slow] - requests["sent_seconds"][slow] >= 1
    assert not window.settled or window.start_seconds > requests["sent_seconds"][slow]


@pytest.mark.parametrize(
    ("fault", "error", "status", "phase", "says"),
    [
        ("full-at-start", OutOfMemory, "infeasible", "server-start", "the weights do not fit"),
        ("full", OutOfMemory, "infeasible", "load", "CUDA out of memory"),
        ("fails", ServerDied, "failed", "load", "shapes do not match"),
        ("dies", ServerDied, "failed", "load", "the last words"),
    ],
)
def test_a_failure_is_landed_with_its_reason_and_raised(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    error: type[Exception],
    status: str,
    phase: str,
    says: str,
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", fault)
    with pytest.raises(error, match=says):
        go(settings, sweep(4))
    [run] = landed(settings)
    assert (run.status, run.failure.phase) == (status, phase)
    assert run.failure.log_tail and run.window_steady is None
    assert generators() == []


def test_a_batch_that_does_not_fit_costs_only_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "full 4")
    with pytest.raises(OutOfMemory):
        go(settings, sweep(1, 4, 8))
    runs = {run.configuration.batch_size: run for run in landed(settings)}
    assert {size: run.status.value for size, run in runs.items()} == {
        1: "completed",
        4: "infeasible",
        8: "completed",
    }
    assert runs[1].server.session_id != runs[8].server.session_id


def test_weights_that_do_not_fit_cost_every_batch_size(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "full-at-start")
    with pytest.raises(OutOfMemory):
        go(settings, sweep(1, 4))
    assert [run.status for run in landed(settings)] == [RunStatus.INFEASIBLE] * 2


def test_every_wait_has_an_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "never-ready")
    procedure = QUICK.model_copy(update={"server_start_seconds": 1.0})
    with pytest.raises(ServerNeverHealthy, match="did not load its pipeline within 1 s"):
        go(settings, sweep(4, procedure=procedure))
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "hangs")
    monkeypatch.setattr("benchmark_tasks.diffusion.measurement.LONGEST_BATCH_SECONDS", 1.0)
    with pytest.raises(ServerNeverHealthy, match="no batch ended within 1 s"):
        go(settings, sweep(4))
    assert generators() == []


def test_a_pipeline_that_is_killed_is_a_failed_run(settings: Settings) -> None:
    slow = QUICK.model_copy(update={"minimum_window_seconds": 60.0, "maximum_seconds": 60.0})
    errors: list[JouleboardError] = []

    def measuring() -> None:
        try:
            go(settings, sweep(4, procedure=slow))
        except JouleboardError as error:
            errors.append(error)

    thread = threading.Thread(target=measuring)
    thread.start()
    events = until(lambda: next(settings.home.rglob("events.jsonl"), None), what="it generates")
    until(lambda: "batch" in events.read_text(), what="a batch has ended")
    [process] = [p for p in generators() if p.cmdline()[1] != "-m"]
    os.kill(process.pid, signal.SIGKILL)
    thread.join(30)
    assert [type(error) for error in errors] == [ServerDied]
    [run] = landed(settings)
    assert run.status is RunStatus.FAILED and generators() == []


def test_what_cannot_be_measured_is_refused_before_anything_starts(settings: Settings) -> None:
    for changes, message in (
        ({"request_set": "parti-prompts"}, "no request set"),
        ({"model_id": "Qwen/Qwen3-8B"}, "does not say how to build Qwen/Qwen3-8B"),
        ({"runtime": "vllm"}, "vllm cannot be measured on text-to-image"),
    ):
        with pytest.raises(CatalogError, match=message):
            go(settings, sweep(4, **changes))
    assert landed(settings) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": None}, "text-to-image needs height"),
        ({"num_frames": 9}, "text-to-image has no num_frames"),
        ({"server": {"kind": "endpoint", "url": "http://127.0.0.1:1"}}, "needs no server"),
        ({"num_gpus": 2, "gpu_model": "H200"}, "diffusers runs on at most 1 GPU"),
        ({"weights_folder": "/weights"}, "needs weights: real"),
        ({"num_gpus": 3, "gpu_model": "H200", "runtime": "xdit"}, "or twice that"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_none(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sweep(4, **changes)


def test_the_job_says_everything_the_program_needs() -> None:
    catalog = load()
    wanted = single_sweep(
        catalog,
        model_id="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        task=Task.TEXT_TO_IMAGE,
        runtime_version="0.7.0",
        gpu_model="H200",
        num_gpus=2,
        weights=Weights.RANDOM,
        degrees={"ring_degree": 2},
    )
    job = diffusion.job_of(wanted, catalog.model(wanted.model_id), ("a cat",), 7)
    assert (job["runtime"], job["num_gpus"], job["dtype"], job["seed"]) == ("xdit", 2, "bfloat16", 7)
    assert job["source"] is None and job["parallel"]["ring_degree"] == 2
    assert job["generation"] == {"inference_steps": 20, "height": 1024, "width": 1024}
    real = wanted.model_copy(update={"weights": Weights.REAL})
    assert diffusion.job_of(real, catalog.model(real.model_id), (), 0)["source"] == real.model_id
    here = real.model_copy(update={"weights_folder": "/weights"})
    assert diffusion.job_of(here, catalog.model(real.model_id), (), 0)["source"] == "/weights"
    assert json.dumps(job) and job["parallel"]["cfg_parallel"] == 1


def test_twice_the_gpus_of_the_degrees_are_cfg_parallel() -> None:
    catalog = load()
    on: dict[str, Any] = {
        "runtime_version": "0.7.0",
        "gpu_model": "H200",
        "num_gpus": 2,
        "weights": Weights.RANDOM,
    }
    alone: dict[str, Any] = {"batch_sizes": [1], "degrees": {"ulysses_degree": 1, "ring_degree": 1}}
    pixart = "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS"
    wanted = single_sweep(catalog, model_id=pixart, task=Task.TEXT_TO_IMAGE, **on, **alone)
    assert diffusion.job_of(wanted, catalog.model(pixart), (), 0)["parallel"]["cfg_parallel"] == 2
    flux = "black-forest-labs/FLUX.1-dev"
    guided = single_sweep(catalog, model_id=flux, task=Task.TEXT_TO_IMAGE, **on, **alone)
    with pytest.raises(
        CatalogError, match=r"does not support CFG parallelism for black-forest-labs/FLUX\.1-dev"
    ):
        diffusion.job_of(guided, catalog.model(flux), (), 0)


def generators() -> list[psutil.Process]:
    """Processes of the mock program, their guardians included."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("mock_generator" in part for part in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
