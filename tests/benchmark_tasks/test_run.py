"""A sweep from lock to landed bundle, against the mock server as a real child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import (
    CatalogError,
    DiskFull,
    JouleboardError,
    LoadError,
    MeterError,
    OutOfMemory,
    ServerDied,
    SettingsError,
    WeightsNotAsAsked,
)
from benchmark_tasks.meters.meter import Meter, Reading
from benchmark_tasks.plan.sweep import Plan, Sweep, SweepPoint
from benchmark_tasks.results import bundle
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import INCOMING
from benchmark_tasks.results.summary import run_row
from benchmark_tasks.run import MeasureResult, measure, sessions
from benchmark_tasks.runtimes import metrics, server
from benchmark_tasks.runtimes.kinds.contract import Metric
from benchmark_tasks.runtimes.weights_folder import read_weights_folder
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.nvml import ENERGY, MISMATCH, NOT_SUPPORTED, MadeUpGpu, MadeUpNvml
from benchmark_tasks.testing.powercap import add_zone
from benchmark_tasks.testing.quick import QUICK, landed, quick_sweep
from benchmark_tasks.testing.replay_meter import ReplayMeter
from benchmark_tasks.testing.waiting import until
from benchmark_tasks.testing.weights import write_weights_folder
from benchmark_tasks.vocabulary import (
    EnergySource,
    LengthControl,
    RunStatus,
    WeightPrecision,
    Weights,
)
from tests.disks import small_file_system


def go(settings: Settings, wanted: Sweep, **more: object) -> MeasureResult:
    return measure(wanted, settings, say=lambda line: None, **more)  # type: ignore[arg-type]


def test_without_a_gpu_a_run_has_speed_and_what_the_cpu_counts(settings: Settings, powercap: Path) -> None:
    add_zone(powercap / "intel-rapl:0", "package-0", joules=77)
    result = go(settings, quick_sweep(4))
    (run,) = landed(settings)
    assert [path.name for path in result.landed] == [run.run_id]
    assert run.status is RunStatus.COMPLETED
    assert run.energy_source is EnergySource.NONE and "no GPU energy counter" in run.energy_absent_reason
    assert run.window_steady.settled and run.window_steady.energy is None
    assert run.window_mlenergy.settled and run.window_mlenergy.energy is None
    assert all(phase.joules is None for phase in run.phases)
    assert run.window_steady.mean_running_requests == pytest.approx(4, rel=0.35)
    assert run.device.cpu_joules == 0.0, "the counter stood still"
    assert run.device.dram_joules is None, "no counter"
    assert run.requests.failed == 0 and run.requests.completed == run.requests.sent
    assert run.server.prefix_cache_hits == 0 and run.server.metric_samples >= 1


def test_a_run_of_the_stand_in_says_what_was_drawn(settings: Settings) -> None:
    go(settings, quick_sweep(4, weights=Weights.STAND_IN))
    (run,) = landed(settings)
    assert run.comparability.weights is Weights.STAND_IN and run.comparability.model_revision is None
    drawn = run.provenance.stand_in
    assert (drawn.recipe, drawn.seed, len(drawn.digest), drawn.processes) == ("stand-in.1", 0, 64, 1)
    assert "--load-format=stand-in" in run.provenance.server_arguments
    row = run_row(run, settings.home)
    assert (row["weights_digest"], row["weights_seed"]) == (drawn.digest, 0)


def test_weights_that_cannot_be_drawn_are_refused_before_anything_is_started(settings: Settings) -> None:
    shipped = load().model("jouleboard/qwen3-tiny")
    config = {**(shipped.hub_config or {}), "quantization_config": {"quant_method": "mxfp4"}}
    model = shipped.model_copy(update={"hub_config": config})
    with pytest.raises(CatalogError, match=r"cannot be measured with stand-in\.1 weights: .*'mxfp4'"):
        go(settings, quick_sweep(4, weights=Weights.STAND_IN, model=model))
    assert landed(settings) == []


def test_a_model_that_is_not_shipped_travels_with_its_sweep(settings: Settings) -> None:
    shipped = load()
    update = {"model_id": "Qwen/Qwen3-9B", "weights": Weights.REAL, "revision": "a" * 40}
    model = shipped.model("jouleboard/qwen3-tiny").model_copy(update=update)
    wanted = quick_sweep(4, model_id=model.model_id, model=model, weights=Weights.REAL)
    go(settings, Sweep.model_validate_json(wanted.model_dump_json()))
    (run,) = landed(settings)
    assert run.provenance.model_revision == run.comparability.model_revision == "a" * 40
    assert f"--revision={'a' * 40}" in run.provenance.server_arguments
    assert run.provenance.catalog_hash == shipped.with_models([model]).content_hash != shipped.content_hash
    with pytest.raises(ValueError, match="contains the catalog entry of"):
        quick_sweep(4, model=model)


def test_weights_from_a_folder_carry_their_hash_and_their_precision(
    settings: Settings, tmp_path: Path
) -> None:
    folder = write_weights_folder(tmp_path / "mine", dtypes=["F16"])
    go(settings, quick_sweep(4, weights=Weights.REAL, weights_folder=str(folder)))
    (run,) = landed(settings)
    revision = read_weights_folder(folder, settings.home).revision
    assert run.comparability.model_revision == run.provenance.model_revision == revision
    assert run.comparability.weights is Weights.REAL
    assert run.configuration.weight_precision is WeightPrecision.FLOAT16
    command = run.provenance.server_arguments
    assert str(folder) in command and "--dtype=float16" in command
    assert not any(part.startswith(("--revision", "--load-format")) for part in command)
    assert run.provenance.server_environment["HF_HUB_OFFLINE"] == "1"


def test_a_folder_that_changes_while_the_server_loads_it_costs_the_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_weights_folder(tmp_path / "mine")
    real = server.get

    def meddling(url: str, *rest: Any) -> bytes:
        answer = real(url, *rest)
        if url.endswith("/health"):
            write_weights_folder(folder, value=2)
        return answer

    monkeypatch.setattr(server, "get", meddling)
    with pytest.raises(WeightsNotAsAsked, match="changed while it was loaded"):
        go(settings, quick_sweep(4, weights=Weights.REAL, weights_folder=str(folder)))
    (run,) = landed(settings)
    assert run.status is RunStatus.FAILED and run.failure.error == "WeightsNotAsAsked"


def test_with_a_counter_both_windows_and_all_phases_have_energy(settings: Settings) -> None:
    # Windows that end by their turnovers: on a busy machine a second is too short for any answer to end.
    patient = QUICK.model_copy(
        update={"full_turnovers": 2, "long_window_seconds": 200.0, "maximum_seconds": 200.0}
    )
    go(settings, quick_sweep(4, procedure=patient), meter=ReplayMeter(lambda seconds: 400.0))
    (run,) = landed(settings)
    for window in (run.window_steady, run.window_mlenergy):
        seconds, parts = window.end_seconds - window.start_seconds, window.sub_windows
        assert window.energy.counter_joules == pytest.approx(400 * seconds, rel=0.01)
        assert window.energy.integral_joules == pytest.approx(400 * seconds, rel=0.01)
        joules = sum(part.counter_joules for part in parts)
        assert joules == pytest.approx(window.energy.counter_joules, rel=1e-6)
        assert len(parts) == QUICK.sub_windows
        assert sum(part.outputs for part in parts) == window.output_tokens
    assert [phase.name for phase in run.phases] == ["server-start", "warm-up", "measure"]
    assert all(phase.joules == pytest.approx(400 * phase.seconds, rel=0.05) for phase in run.phases)
    assert run.device.idle_watts_before_server == run.device.idle_watts_loaded == 400
    assert run.device.temperature_max_celsius == 50 and run.device.throttle_reasons == ()
    assert run.device.cpu_joules is None and run.device.dram_joules is None


def sequences(run: Run) -> str:
    """How many answers at once the server of a run was sized for."""
    return next(part for part in run.provenance.server_arguments if part.startswith("--max-num-seqs="))


ON_A_GPU = {"gpu_model": "H200", "num_gpus": 1}


def test_where_memory_is_short_a_server_is_as_small_as_its_batches(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "out-of-memory")
    monkeypatch.setenv("JOULEBOARD_MOCK_FITS", "4")
    said: list[str] = []
    with pytest.raises(OutOfMemory):
        measure(quick_sweep(8, 4, **ON_A_GPU), settings, meter=ReplayMeter(), say=said.append)
    infeasible, measured = landed(settings)
    assert (infeasible.status, infeasible.configuration.batch_size) == (RunStatus.INFEASIBLE, 8)
    assert (measured.status, measured.configuration.batch_size) == (RunStatus.COMPLETED, 4)
    assert sequences(measured) == "--max-num-seqs=4"
    assert sum("needs too much memory" in line and "256" in line for line in said) == 1, "tried once"
    assert leftovers(settings) == []


def test_one_server_serves_the_whole_sweep_or_one_each(settings: Settings) -> None:
    go(settings, quick_sweep(2, 4, **ON_A_GPU), meter=ReplayMeter())
    go(settings, quick_sweep(2, 4, server_per_point=True, **ON_A_GPU), meter=ReplayMeter())
    together, apart = landed(settings)[:2], landed(settings)[2:]
    assert len({run.server.session_id for run in together}) == 1
    starts = [
        ["server-start" in [phase.name for phase in run.phases] for run in runs] for runs in (together, apart)
    ]
    assert starts == [[True, False], [True, True]]  # a start is paid for once
    assert len({run.server.session_id for run in apart}) == 2
    sizes = {sequences(run) for run in landed(settings)}
    assert sizes == {"--max-num-seqs=256"}, "a batch size meets the same server alone as in a sweep"
    assert {run.configuration.configuration_id for run in together} == {
        run.configuration.configuration_id for run in apart
    }


def test_repeats_go_round_the_batch_sizes() -> None:
    wanted = quick_sweep(points=(SweepPoint(batch_size=8, repeats=2), SweepPoint(batch_size=64, repeats=3)))
    assert [[p.batch_size for p in s] for s in sessions(wanted)] == [[8, 64, 8, 64, 64]]


def test_every_token_is_in_the_bundle_and_the_record_agrees(settings: Settings) -> None:
    result = go(settings, quick_sweep(4))
    rows = pq.read_table(result.landed[0] / bundle.REQUESTS_FILE).to_pylist()
    (run,) = landed(settings)
    done = [row for row in rows if row["error"] is None]
    assert len(done) == run.requests.completed
    assert all(sum(row["chunk_tokens"]) == row["output_tokens"] == row["max_tokens"] for row in done)
    assert sum(row["output_tokens"] for row in done) == run.requests.output_tokens
    assert len(rows) - len(done) == run.requests.cancelled


def test_a_load_that_does_not_settle_is_offered_again_then_recorded_as_such(settings: Settings) -> None:
    said: list[str] = []
    impossible = QUICK.model_copy(update={"full_turnovers": 10_000, "long_window_seconds": 9.0})
    short = impossible.model_copy(update={"maximum_seconds": 1.5, "attempts": 2})
    measure(quick_sweep(4, procedure=short), settings, say=said.append)
    (run,) = landed(settings)
    assert len([line for line in said if line.endswith("; measuring once more")]) == 1
    assert run.status is RunStatus.COMPLETED and not run.window_steady.settled


def test_several_client_processes_share_the_slots(settings: Settings) -> None:
    go(settings, quick_sweep(6, procedure=QUICK.model_copy(update={"client_processes": 2})))
    (run,) = landed(settings)
    assert run.client.processes == 2
    assert run.window_steady.mean_running_requests == pytest.approx(6, rel=0.35)


def test_a_load_of_another_kind_is_another_request_set(settings: Settings) -> None:
    """ML.ENERGY's procedure beside ours: figures that must never be averaged."""
    theirs = QUICK.model_copy(update={"stationary_start": False, "request_limit": 60})
    go(settings, quick_sweep(4, procedure=theirs))
    go(settings, quick_sweep(4))
    usual, unusual = sorted((run.comparability.request_set_id for run in landed(settings)), key=len)
    assert unusual == f"{usual}+afresh+60-requests" and "+" not in usual


def test_natural_lengths_are_drained_not_cancelled(settings: Settings) -> None:
    go(settings, quick_sweep(4, length_control=LengthControl.NATURAL))
    (run,) = landed(settings)
    assert run.requests.cancelled == 0
    assert run.requests.mean_output_tokens == run.requests.output_tokens / run.requests.completed


@pytest.mark.parametrize(
    ("meter", "reason"),
    [
        (lambda: ReplayMeter(lost_after_seconds=2.5), "(not read throughout|answered nothing).*GPU is lost"),
        (lambda: ReplayMeter(reset_every_seconds=1.0), "went backwards"),
    ],
)
def test_a_counter_that_fails_costs_the_energy_not_the_run(
    settings: Settings, meter: Callable[[], Meter], reason: str
) -> None:
    slow = QUICK.model_copy(
        update={"minimum_window_seconds": 2.5, "long_window_seconds": 2.5, "idle_seconds": 0.2}
    )
    go(settings, quick_sweep(4, procedure=slow), meter=meter())
    (run,) = landed(settings)
    assert run.status is RunStatus.COMPLETED and run.window_steady.settled
    assert run.window_steady.energy is None and run.energy_source is EnergySource.NONE
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(run.energy_absent_reason)


@pytest.mark.parametrize(
    ("fault", "error", "status", "phase"),
    [
        ("dies-at-start", ServerDied, RunStatus.FAILED, "server-start"),
        ("out-of-memory", OutOfMemory, RunStatus.INFEASIBLE, "server-start"),
        ("dies-after-tokens", ServerDied, RunStatus.FAILED, "load"),
        ("error-in-stream", LoadError, RunStatus.FAILED, "load"),
        ("http-500", LoadError, RunStatus.FAILED, "load"),
    ],
)
def test_a_failure_is_landed_with_its_reason_and_raised(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    error: type,
    status: RunStatus,
    phase: str,
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", fault)
    with pytest.raises(error) as caught:
        go(settings, quick_sweep(2, 4))
    assert "\n" not in str(caught.value)
    runs = landed(settings)
    assert [(run.status, run.failure.phase) for run in runs] == [(status, phase)] * 2
    assert all(run.failure.message and run.energy_source is EnergySource.NONE for run in runs)
    assert leftovers(settings) == []


def test_a_defect_costs_its_point_and_is_raised_at_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = metrics.parse_metrics

    def first_point_breaks(text: str, at_ns: int, names: Mapping[str, Metric]) -> list[Reading]:
        if not landed(settings):
            raise KeyError("vllm:num_requests_running")
        return parse(text, at_ns, names)

    monkeypatch.setattr(server, "parse_metrics", first_point_breaks)
    said: list[str] = []
    on_disk: list[int] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith(("batch 2: failed", "batch 4: completed")):
            on_disk.append(len(landed(settings)))

    with pytest.raises(KeyError) as caught:
        measure(quick_sweep(2, 4), settings, say=say)
    assert on_disk == [1, 2], "who reads that a run ended has it"
    assert "first_point_breaks" in [frame.name for frame in caught.traceback], "where it happened"
    failed, completed = landed(settings)
    assert (failed.status, completed.status) == (RunStatus.FAILED, RunStatus.COMPLETED)
    assert (failed.failure.phase, failed.failure.error) == ("load", "KeyError")
    assert failed.failure.message == "'vllm:num_requests_running'" and failed.failure.log_tail
    assert "batch 2: failed: KeyError: 'vllm:num_requests_running'" in "\n".join(said)
    (folder,) = settings.raw.glob(f"*/*/{failed.run_id}")
    assert "in first_point_breaks" in (folder / bundle.DRIVER_LOG).read_text()
    assert leftovers(settings) == []


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model_id": "nobody/nothing"}, CatalogError, "not in the catalog"),
        ({"gpu_model": "H200", "num_gpus": 1}, MeterError, "needs 1 GPU"),
        ({"runtime": "xdit"}, CatalogError, "xdit cannot be measured on lm-arena-chat"),
        ({"request_set": "lmsys"}, CatalogError, "no request set"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(
    settings: Settings, changes: dict[str, object], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        go(settings, quick_sweep(4, **changes))
    assert landed(settings) == []


# --- on GPUs whose driver is made up ------------------------------------------------------------

H100 = {"gpu_model": "H100", "num_gpus": 1}


def test_what_a_gpu_cannot_say_is_empty_in_its_run_and_costs_no_energy(
    settings: Settings, nvml: MadeUpNvml
) -> None:
    silent = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetClockInfo", "nvmlDeviceGetCurrentClocksEventReasons")
    refused = ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPowerManagementLimit")
    nvml.answer([MadeUpGpu(errors=dict.fromkeys((*silent, *refused), NOT_SUPPORTED))])
    go(settings, quick_sweep(4, **H100))
    (run,) = landed(settings)
    window = run.window_steady
    assert window.energy.counter_joules == pytest.approx(400 * window.energy.counter_seconds, rel=0.2)
    assert (run.device.temperature_max_celsius, run.device.sm_clock_median_mhz) == (None, None)
    assert run.device.throttle_reasons is None and run.device.power_max_watts_per_gpu == 400
    (gpu,) = run.provenance.gpus
    assert (gpu.memory_bytes, gpu.power_limit_watts, run.comparability.power_limit_watts) == (None,) * 3
    assert {line.split(": ")[1] for line in gpu.unanswered} == {
        *("get_gpu_temperature", "nvmlDeviceGetClockInfo", "nvmlDeviceGetCurrentClocksEventReasons"),
        *refused,
    }
    assert run.provenance.server_environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_with_a_broken_counter_a_run_has_speed_and_the_reason(settings: Settings, nvml: MadeUpNvml) -> None:
    nvml.answer([MadeUpGpu().frozen_now()])
    go(settings, quick_sweep(4, **H100))
    (run,) = landed(settings)
    assert run.energy_source is EnergySource.NONE and run.window_steady.energy is None
    why = run.energy_absent_reason or ""
    # A machine that is too busy to read the counter for a second says that first.
    assert why.startswith("energy counter of GPU 0 ") and ("counted 0 J" in why or "was not read" in why)
    assert {phase.name: phase.joules for phase in run.phases}["measure"] is None


@pytest.mark.parametrize(
    ("gpus", "errors", "message"),
    [
        ([MadeUpGpu(errors={ENERGY: NOT_SUPPORTED})], {}, "GPU 0.*energy counter cannot be read"),
        ([MadeUpGpu(mig=True)], {}, "GPU 0.*MIG is enabled"),
        ([MadeUpGpu()], {"nvmlInitWithFlags": MISMATCH}, "driver cannot be used"),
        ([MadeUpGpu(name="NVIDIA H200")], {}, "the sweep is for H100, but GPU 0 is NVIDIA H200"),
    ],
)
def test_without_an_instrument_nothing_is_installed_or_started(
    settings: Settings,
    nvml: MadeUpNvml,
    monkeypatch: pytest.MonkeyPatch,
    gpus: list[MadeUpGpu],
    errors: dict[str, int],
    message: str,
) -> None:
    monkeypatch.setattr("benchmark_tasks.runtimes.origins.ensure", lambda *_, **__: pytest.fail("installed"))
    nvml.answer(gpus, errors)
    said: list[str] = []
    with pytest.raises(JouleboardError, match=message):
        measure(quick_sweep(4, **H100), settings, say=said.append)
    assert landed(settings) == [] and said == []


def test_a_defect_while_the_meter_is_opened_leaves_a_failed_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> Meter:
        raise RuntimeError("a driver that nobody has thought of")

    monkeypatch.setattr("benchmark_tasks.run.meter_of", breaks)
    with pytest.raises(RuntimeError, match="nobody has thought of"):
        go(settings, quick_sweep(2, 4, **ON_A_GPU))
    assert [run.configuration.batch_size for run in landed(settings)] == [2, 4]
    for run in landed(settings):
        assert (run.status, run.failure.error) == (RunStatus.FAILED, "RuntimeError")
        (folder,) = settings.raw.glob(f"*/*/{run.run_id}")
        assert "in breaks" in (folder / bundle.DRIVER_LOG).read_text()


def test_a_load_that_the_operating_system_cannot_carry_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark_tasks.host.limits.OWN_FILES", 10**9)
    with pytest.raises(SettingsError, match="4 requests in flight need 1000000004 open files"):
        go(settings, quick_sweep(4))
    assert landed(settings) == []


# --- killing the measuring process ------------------------------------------------------------


def leftovers(settings: Settings) -> list[int]:
    """Model servers of this home that still run."""
    found = []
    for process in psutil.process_iter():
        try:
            lock = process.environ().get("JOULEBOARD_DEVICE_LOCK", "")
            if str(settings.home) in lock and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


PHASES = ["starting the server", "warming up", "measuring for"]


@pytest.mark.parametrize("phase", PHASES)
def test_kill_9_in_each_phase_leaves_no_server_and_no_half_bundle(
    settings: Settings, tmp_path: Path, phase: str
) -> None:
    endless = {"minimum_window_seconds": 60.0, "long_window_seconds": 60.0, "maximum_seconds": 120.0}
    long = QUICK.model_copy(update=endless)
    plan = tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(quick_sweep(4, procedure=long),)).model_dump_json())
    command = [sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan)]
    environment = {**os.environ, "JOULEBOARD_HOME": str(settings.home)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    next(line for line in process.stderr if phase in line)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    until(lambda: not leftovers(settings), 40, "no server left")
    assert landed(settings) == []
    go(settings, quick_sweep(4))
    assert len(landed(settings)) == 1
    assert list((settings.raw / INCOMING).iterdir()) == []


def test_sigterm_is_passed_on_and_cleans_up(settings: Settings, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(quick_sweep(4),)).model_dump_json())
    command = [sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan)]
    environment = {**os.environ, "JOULEBOARD_HOME": str(settings.home)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    next(line for line in process.stderr if "warming up" in line)
    process.terminate()
    assert process.wait(40) == 128 + signal.SIGTERM
    assert leftovers(settings) == [] and not list((settings.home / "scratch").iterdir())


# --- a full disk -------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB that is nearly full."""
    with small_file_system(tmp_path / "tiny", "size=1m") as where:
        yield where


def test_a_full_disk_is_one_clear_line_and_nothing_is_half_landed(tiny_disk: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "raw").symlink_to(tiny_disk)
    (tiny_disk / "ballast").write_bytes(b"x" * (1024 * 1024 - 16 * 1024))
    settings = Settings(home=home)
    with pytest.raises(JouleboardError, match=r"no space left under .*free some"):
        go(settings, quick_sweep(4))
    assert leftovers(settings) == []
    (tiny_disk / "ballast").unlink()
    go(settings, quick_sweep(4))
    assert [run.status for run in landed(settings)] == [RunStatus.COMPLETED]


def test_a_defect_on_a_full_disk_is_said_and_leaves_nothing_half_landed(
    tiny_disk: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "raw").symlink_to(tiny_disk)
    (tiny_disk / "ballast").write_bytes(b"x" * (1024 * 1024 - 4096))
    settings, said = Settings(home=home), []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("starting the server"):
            raise KeyError("gauge")

    with pytest.raises(DiskFull) as caught:
        measure(quick_sweep(4), settings, say=say)
    assert "KeyError: 'gauge'" in "".join(traceback.format_exception(caught.value))
    assert said[-1].startswith("batch 4: failed: KeyError: 'gauge'")
    assert landed(settings) == [] and list((settings.raw / INCOMING).iterdir()) == []


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = Plan(sweeps=(quick_sweep(4, 8),))
    assert Plan.model_validate(json.loads(plan.model_dump_json())) == plan
