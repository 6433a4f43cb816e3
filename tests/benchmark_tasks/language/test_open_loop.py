"""Open loops on the mock server and on GPUs whose driver is made up: every joule can be checked by hand."""

from __future__ import annotations

from itertools import count, takewhile

import numpy as np
import pytest

from benchmark_tasks.client.arrivals import OpenLoop
from benchmark_tasks.client.events import Events
from benchmark_tasks.language.idle import idle_window
from benchmark_tasks.language.open_loop import open_window
from benchmark_tasks.meters.energy import EnergyCurve
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.plan.sweep import SweepPoint
from benchmark_tasks.results.schema import Run
from benchmark_tasks.run import measure
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.nvml import MadeUpGpu, MadeUpNvml
from benchmark_tasks.testing.quick import QUICK, landed, quick_sweep
from benchmark_tasks.vocabulary import EnergySource

PROCEDURE = Procedure(minimum_window_seconds=30, long_window_seconds=60, sub_windows=6)
H100 = {"gpu_model": "H100", "num_gpus": 1}


def at(rate: float, batch_size: int = 8) -> SweepPoint:
    return SweepPoint(batch_size=batch_size, request_rate=rate, burstiness=1.0 if rate else None)


def events_of(sent: np.ndarray, ended: np.ndarray, tokens: int = 10) -> Events:
    """Answers whose tokens come evenly until they end."""
    number = len(sent)
    chunks = np.linspace(sent, ended, tokens + 1)[1:].T.ravel()
    return Events(
        origin_ns=0,
        request_index=np.arange(number),
        process=np.zeros(number, dtype=int),
        slot=np.arange(number),
        due_seconds=sent,
        sent_seconds=sent,
        first_token_seconds=sent + (ended - sent) / tokens,
        finished_seconds=ended,
        prompt_tokens=np.ones(number, dtype=int),
        output_tokens=np.full(number, tokens),
        max_tokens=np.full(number, tokens),
        at_length_cap=np.zeros(number, dtype=bool),
        under_way=np.zeros(number, dtype=bool),
        errors=(None,) * number,
        chunk_offsets=np.arange(number + 1) * tokens,
        chunk_seconds=chunks,
        chunk_tokens=np.ones(len(chunks), dtype=int),
    )


def test_the_window_begins_after_the_longest_answer_and_ends_when_arrivals_do() -> None:
    sent = np.arange(0.0, 100.0, 0.5)
    ended = sent + np.where(np.arange(len(sent)) % 10 == 0, 20.0, 2.0)
    energy = EnergyCurve(np.arange(0.0, 131.0), 300.0 * np.arange(0.0, 131.0))
    window, backlog = open_window(events_of(sent, ended), 100.0, energy, PROCEDURE, 1.0)
    assert (window.settled, window.start_seconds, window.end_seconds) == (True, 20.0, 100.0)
    assert window.output_tokens == pytest.approx(80 * 2 * 10, rel=0.03)
    assert backlog.mean == pytest.approx(2 * (0.1 * 20 + 0.9 * 2), rel=0.03) and not backlog.grows
    assert window.mean_running_requests == backlog.mean and window.turnovers is None


def test_an_overload_is_a_window_with_a_backlog_that_grows() -> None:
    sent = np.arange(0.0, 100.0, 0.1)
    ended = 1.0 + np.arange(len(sent)) / 8  # eight per second, ten arrive
    window, backlog = open_window(events_of(sent, ended), 100.0, None, PROCEDURE, 1.0)
    assert window.settled and backlog.grows
    assert backlog.growth_per_second == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("sent", "took", "reason"),
    [
        (np.arange(0.0, 20.0), 1.0, "only 19.0 s of the 30 s"),
        (np.array([0.0]), 0.5, "no output"),
    ],
)
def test_a_window_that_says_nothing_has_a_reason(sent: np.ndarray, took: float, reason: str) -> None:
    stopped = 20.0 if len(sent) > 2 else 100.0
    window, _ = open_window(events_of(sent, sent + took), stopped, None, PROCEDURE, 1.0)
    assert not window.settled and reason in str(window.reason)
    assert window.start_seconds is None and window.output_tokens is None


def test_an_idle_window_begins_where_power_has_come_down() -> None:
    seconds = np.arange(0.0, 61.0, 0.1)
    watts = np.where(seconds < 10, 300.0, 100.0)
    falling = EnergyCurve.of_power(seconds, watts)
    assert not idle_window(30.0, falling, PROCEDURE).settled
    window = idle_window(60.0, falling, PROCEDURE)
    assert window.settled and window.start_seconds == pytest.approx(12.0)
    assert (window.output_tokens, window.completed_requests) == (0, 0)


def test_the_schedule_is_drawn_beforehand_and_the_same_again() -> None:
    one, other = (OpenLoop(100.0, 2.0).arrivals_seconds(seed=3) for _ in range(2))
    instants = np.array([at for at, _ in zip(one, range(1000), strict=False)])
    assert instants.tolist() == [at for at, _ in zip(other, range(1000), strict=False)]
    assert np.all(np.diff(instants) > 0) and instants[-1] == pytest.approx(10.0, rel=0.1)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, nvml_library: MadeUpNvml) -> dict[float, Run]:
    """Idle, a load that is light, and one that is far too much, on one server and one GPU of 350 W."""
    import ctypes

    import pynvml

    settings = Settings(home=tmp_path_factory.mktemp("open"))
    quick = QUICK.model_copy(
        update={
            "client_processes": 2,
            "minimum_window_seconds": 0.5,
            "maximum_seconds": 5.0,
            "sub_windows": 4,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(nvml_library.library)))
        patch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        for name, value in nvml_library.variables.items():
            patch.setenv(name, value)
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        nvml_library.answer([MadeUpGpu(watts=350.0)])
        points = (at(0.0), at(6.0), at(500.0))
        measure(quick_sweep(points=points, procedure=quick, **H100), settings, say=lambda line: None)
    return {run.configuration.request_rate or 0.0: run for run in landed(settings)}


def test_an_idle_server_draws_what_its_gpu_draws(measured: dict[float, Run]) -> None:
    run = measured[0.0]
    window = run.window_steady
    assert window is not None and window.energy is not None and run.requests is not None
    seconds = (window.end_seconds or 0) - (window.start_seconds or 0)
    assert seconds >= QUICK.long_window_seconds
    assert window.energy.counter_joules == pytest.approx(350 * seconds, rel=0.1)
    assert window.energy.integral_joules == pytest.approx(350 * seconds, rel=0.001)
    assert (window.output_tokens, run.requests.sent, run.latency, run.client) == (0, 0, None, None)
    assert run.arrivals is not None and run.arrivals.sustained and run.arrivals.busy_share == 0
    assert run.server is not None and run.server.generated_tokens == 0
    assert run.configuration.load_label == "idle"


def test_a_light_load_is_kept_and_its_joules_are_those_of_the_gpu(measured: dict[float, Run]) -> None:
    run = measured[6.0]
    window, arrivals = run.window_steady, run.arrivals
    assert window is not None and window.settled and window.energy is not None and arrivals is not None
    seconds = (window.end_seconds or 0) - (window.start_seconds or 0)
    assert window.energy.counter_joules == pytest.approx(350 * seconds, rel=0.1)
    assert arrivals.sustained and arrivals.reason is None
    assert run.energy_source is EnergySource.NVML_COUNTER and len(window.sub_windows) == 4
    assert sum(part.outputs for part in window.sub_windows) == window.output_tokens
    server, requests = run.server, run.requests
    assert server is not None and requests is not None
    assert server.generated_tokens == server.received_tokens == requests.output_tokens
    assert requests.cancelled == 0, "answers that were under way when the load stopped have ended"
    assert "--max-num-seqs=8" in run.provenance.server_arguments


def test_every_joule_of_a_start_and_of_a_load_is_that_of_the_gpu(measured: dict[float, Run]) -> None:
    """350 W all the time: joules are 350 x seconds in each phase."""
    starts = [run for run in measured.values() if run.phases[0].name == "server-start"]
    assert len(starts) == 1, "one server has one start"
    phases = [phase for run in measured.values() for phase in run.phases if phase.seconds > 0.5]
    assert {phase.name for phase in phases} >= {"server-start", "measure"}
    for phase in phases:
        assert phase.joules == pytest.approx(350 * phase.seconds, rel=0.15), phase.name


def test_what_cannot_be_sustained_is_a_result_and_no_error(measured: dict[float, Run]) -> None:
    run = measured[500.0]
    assert run.status.value == "completed" and run.failure is None
    assert run.arrivals is not None and not run.arrivals.sustained
    assert "were waiting or being answered" in str(run.arrivals.reason)
    assert run.requests is not None and run.requests.failed == 0


def test_requests_were_sent_at_the_times_of_the_schedule_by_both_processes(
    measured: dict[float, Run], tmp_path_factory: pytest.TempPathFactory
) -> None:
    import pyarrow.parquet as pq

    run = measured[6.0]
    (path,) = tmp_path_factory.getbasetemp().rglob(f"{run.run_id}/requests.parquet")
    rows = sorted(pq.read_table(path).to_pylist(), key=lambda row: row["request_index"])
    assert [row["request_index"] for row in rows] == list(range(len(rows)))
    assert {row["process"] for row in rows} == {0, 1}
    due = np.array([row["due_seconds"] for row in rows])
    schedule = np.array(list(_first(OpenLoop(6.0), len(rows))))
    np.testing.assert_allclose(due - due[0], schedule - schedule[0], atol=1e-6)
    assert all(row["sent_seconds"] >= row["due_seconds"] for row in rows)


def _first(arrivals: OpenLoop, number: int) -> list[float]:
    numbered = zip(count(), arrivals.arrivals_seconds(seed=0), strict=False)
    return [at for _, at in takewhile(lambda pair: pair[0] < number, numbered)]
