"""One point on a server that misbehaves while it is measured: what the run says of it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import LoadError, ServerDied
from benchmark_tasks.language import measurement
from benchmark_tasks.language.measurement import Bench, increase, measure_point
from benchmark_tasks.language.session import metrics_of
from benchmark_tasks.measuring.session import PointResult
from benchmark_tasks.meters.meter import NoMeter, Reading, Recorder, Timeline
from benchmark_tasks.plan.procedure import Procedure
from benchmark_tasks.results.schema import Gpu
from benchmark_tasks.results.tables import Series
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.server import RunningServer, ServerSpec, free_port, serve
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import QUICK, quick_sweep
from benchmark_tasks.testing.waiting import until
from benchmark_tasks.vocabulary import EnergySource, LengthControl
from benchmark_tasks.workloads.catalog_sets import request_set_for

SHORT = QUICK.model_copy(update={"sub_windows": 3})
BRIEF = SHORT.model_copy(update={"minimum_window_seconds": 0.5, "long_window_seconds": 0.6})
COLD = BRIEF.model_copy(update={"warm_up_rounds": 0})


@contextmanager
def mock_server(folder: Path, *options: str) -> Iterator[RunningServer]:
    port, module = free_port(), "benchmark_tasks.testing.mock_server"
    command = (sys.executable, "-m", module, f"--port={port}", *options)
    with serve(ServerSpec(kind_of("vllm").server, command, {}, port, folder / "server.log", 60)) as server:
        yield server


def measure(
    server: RunningServer,
    procedure: Procedure = SHORT,
    control: LengthControl = LengthControl.FIXED,
    say: Callable[[str], None] = lambda line: None,
) -> PointResult:
    sweep, catalog = quick_sweep(4, length_control=control), load()
    model, task = catalog.model(sweep.model_id), catalog.tasks[sweep.task]
    requests = request_set_for(sweep, model, task, Settings(home=Path("unused")))
    with Recorder(NoMeter("none")) as devices, metrics_of(server) as metrics:
        return measure_point(Bench(server, devices, metrics, requests, control, procedure, say), 4)


def generator_of(server: RunningServer) -> psutil.Process:
    """The server itself, which runs under its guardian."""
    (child,) = psutil.Process(server.process.pid).children()
    return child


def test_a_server_that_stands_still_fails_the_run_in_half_the_longest_loads_time(tmp_path: Path) -> None:
    endless = QUICK.model_copy(update={"long_window_seconds": 100.0, "maximum_seconds": 10.0})
    with mock_server(tmp_path) as server:
        generator = generator_of(server)

        def say(line: str) -> None:
            if "measuring for" in line:
                generator.send_signal(signal.SIGSTOP)

        try:
            with pytest.raises(LoadError, match=r"^no request got a token for 5 s: .*server\.log$"):
                measure(server, endless, LengthControl.NATURAL, say)
        finally:
            generator.resume()


BRISK = ("--itl-ms=1", "--tokens-per-chunk=40")
"""An answer takes some 16 ms: a few broken ones are a small share of all."""


def test_a_server_that_restarted_during_the_load_has_no_figures(tmp_path: Path) -> None:
    until_the_end = SHORT.model_copy(update={"minimum_window_seconds": 100.0, "maximum_seconds": 5.0})
    with (
        mock_server(tmp_path, *BRISK, "--fault=restarts", "--fault-after-tokens=200000") as server,
        pytest.raises(ServerDied, match="counters went backwards: it was restarted"),
    ):
        measure(server, until_the_end)


def test_counters_that_were_not_read_for_a_moment_are_known_all_the_same(tmp_path: Path) -> None:
    with mock_server(tmp_path, "--fault=metrics-gap", "--prefix-cache-hits=3") as server:
        seen = measure(server).server
    assert seen.prefix_cache_hits > 0 and seen.counters_absent_reason is None


def test_a_round_that_could_not_be_read_is_not_waited_for_in_vain() -> None:
    """Whoever waits for a reading after an instant gets one, also if the next round fails."""

    class FailsOnce:
        source: EnergySource = EnergySource.NONE
        absent_reason: str | None = "a test"
        gpus: tuple[Gpu, ...] = ()
        rounds = 0

        def __init__(self) -> None:
            self.troubles: list[str] = []

        def read(self) -> list[Reading] | None:
            self.rounds += 1
            return (
                None if self.rounds == 2 else [Reading(Series.PREEMPTIONS, None, time.perf_counter_ns(), 1)]
            )

    with Recorder(FailsOnce(), period_seconds=0.05) as recorder:
        until(lambda: recorder.readings)
        now = time.perf_counter_ns()
        recorder.wait_past(now)
        assert recorder.readings[-1].at_ns > now


def test_counters_that_a_server_does_not_have_are_null_with_the_reason(tmp_path: Path) -> None:
    with mock_server(tmp_path, "--fault=no-cache-counters") as server:
        seen = measure(server).server
    assert seen.prefix_cache_hits is None and seen.multimodal_cache_hits is None and seen.preemptions == 0
    assert seen.counters_absent_reason == (
        "the server's /metrics does not have prefix_cache_hits, multimodal_cache_hits"
    )


def test_drafts_and_what_was_accepted_of_them_are_counted_in_the_window(tmp_path: Path) -> None:
    """Four tokens per step are one of the model and three accepted ones; the last step may have fewer."""
    with mock_server(tmp_path, "--tokens-per-chunk=4", "--speculative-config={}") as server:
        said = measure(server).server
    assert said.drafts_in_window is not None and said.accepted_tokens_in_window is not None
    assert said.drafts_in_window > 100
    assert 2.9 < said.accepted_tokens_in_window / said.drafts_in_window <= 3
    steps = said.drafts_in_window + said.accepted_tokens_in_window
    assert steps == pytest.approx(said.generated_tokens_in_window, rel=1e-6)


def test_a_server_without_drafts_counts_none(tmp_path: Path) -> None:
    with mock_server(tmp_path) as server:
        said = measure(server).server
    assert said.drafts_in_window is None and said.accepted_tokens_in_window is None
    assert said.counters_absent_reason is None


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(-1, 5), (4, 5), (11, 8)], 3),
        ([(-1, 5), (4, 5), (11, 5)], 0),
        ([(-9, 5), (-1, 45), (11, 48)], 3),  # forty belong to the load before
        ([(-9, 5), (-1, 5)], None),
        ([(-1, 5), (4, 5)], None),
        ([(4, 5), (11, 5)], None),
        ([(-1, 5), (4, 1), (11, 9)], None),
        ([], None),
    ],
)
def test_a_counter_says_nothing_of_a_load_that_its_readings_do_not_enclose(
    readings: list[tuple[float, float]], expected: int | None
) -> None:
    seen = [Reading(Series.PREFIX_CACHE_HITS, None, int(at * 1e9), value) for at, value in readings]
    assert increase(Timeline.from_readings(seen, 0), Series.PREFIX_CACHE_HITS, load_seconds=10) == expected


@pytest.mark.parametrize(
    ("stream", "control"),
    [
        ("usual", LengthControl.FIXED),
        ("usual", LengthControl.NATURAL),
        ("spaced", LengthControl.NATURAL),
        ("no-done", LengthControl.FIXED),
        ("usage-at-end", LengthControl.NATURAL),
    ],
)
def test_what_the_client_received_is_what_the_server_generated(
    tmp_path: Path, stream: str, control: LengthControl
) -> None:
    with mock_server(tmp_path, "--itl-ms=1", f"--stream={stream}") as server:
        seen = measure(server, BRIEF, control)
    said = seen.server
    assert said.generated_tokens is not None and said.generated_tokens_absent_reason is None
    if seen.requests.cancelled == 0:
        assert said.received_tokens == said.generated_tokens == seen.requests.output_tokens
    assert said.received_tokens is not None and said.received_tokens <= said.generated_tokens


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            ("--fault=double-counter",),
            r"client received \d+ tokens, and the server says that it generated \d+",
        ),
        (
            ("--stream=usage-one-too-many",),
            "failed during .*too many|failed during .* tokens came, but|one of them counts",
        ),
        (("--stream=no-usage", "--tokens-per-chunk=4"), "one of them counts wrongly, so there is no figure"),
        (("--stream=usage-at-end", "--tokens-per-chunk=4"), "does not say how many in each"),
        (("--stream=no-end",), "no finish_reason and no .DONE. came"),
        (("--stream=error-event",), "mock error"),
    ],
)
def test_a_stream_that_cannot_be_counted_has_no_figures(
    tmp_path: Path, options: tuple[str, ...], error: str
) -> None:
    with (
        mock_server(tmp_path, "--itl-ms=1", *options) as server,
        pytest.raises(LoadError, match=error),
    ):
        measure(server, COLD, LengthControl.NATURAL)


def test_a_server_without_a_counter_of_tokens_is_measured_and_the_run_says_so(tmp_path: Path) -> None:
    with mock_server(tmp_path, "--itl-ms=1", "--fault=no-token-counter") as server:
        said = measure(server, BRIEF).server
    assert said.generated_tokens is None and said.received_tokens
    assert said.generated_tokens_absent_reason == "the server's metrics page does not have generated_tokens"


def test_a_server_that_goes_on_with_cancelled_answers_costs_its_counter_not_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "QUIET_SECONDS", 0.0)
    with mock_server(tmp_path, "--itl-ms=1", "--fault=no-abort") as server:
        seen = measure(server, BRIEF)
    assert seen.window_steady.settled and seen.server.generated_tokens is None
    assert "cancelled requests for over 0 s" in str(seen.server.generated_tokens_absent_reason)


def test_a_connection_that_was_closed_between_requests_is_made_anew(tmp_path: Path) -> None:
    with mock_server(tmp_path, "--itl-ms=1", "--fault=closes-idle") as server:
        seen = measure(server, BRIEF)
    assert seen.requests.failed == 0


def test_answers_that_take_too_long_for_a_machine_end_in_one_line(tmp_path: Path) -> None:
    slow = BRIEF.model_copy(update={"warm_up_rounds": 0, "maximum_seconds": 1.0, "attempts": 3})
    with (
        mock_server(tmp_path, "--itl-ms=500") as server,
        pytest.raises(
            LoadError, match=r"^4 of 4 answers had not ended 1 s after the load: .*--length fixed\)$"
        ),
    ):
        measure(server, slow, LengthControl.NATURAL)


def test_a_slow_middle_is_not_in_a_window_that_settled(tmp_path: Path) -> None:
    """A stumble of a quarter of the window, between its thirds: first and last third are alike."""
    procedure = QUICK.model_copy(
        update={
            "minimum_window_seconds": 1.5,
            "long_window_seconds": 1.5,
            "maximum_seconds": 2.2,
            "drift_limit": 0.25,
            "sub_windows": 10,
            "kept_chunk_requests": None,
            "attempts": 1,
        }
    )
    options = ("--fault=stumbles", "--fault-after-tokens=1100", "--itl-ms=4", "--stumble-seconds=0.5")
    with mock_server(tmp_path, *options) as server:
        result = measure(server, procedure)
    at = np.sort(np.concatenate([_arrivals(row) for row in result.request_rows]))
    slow = at[np.argmax(np.convolve(np.diff(at), np.ones(40), "valid"))]
    window = result.window_steady
    assert np.median(np.diff(at)) < 0.004, "the server stumbled for a part of the load only"
    assert not window.settled or window.start_seconds is None or window.start_seconds > slow
    assert window.settled or "never settled" in str(window.reason)


def _arrivals(row: dict[str, object]) -> np.ndarray:
    """When each piece of an answer came, seconds since the first request."""
    gaps = np.asarray(row["chunk_gap_us"], dtype=float) / 1e6
    first = row["first_token_seconds"]
    return np.array([]) if first is None else first + np.cumsum(gaps)
