"""A server that sleeps: on the mock server and on a GPU with a made-up driver, where every joule is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark_tasks.errors import ServerError, SettingsError
from benchmark_tasks.plan import at_rates
from benchmark_tasks.plan.sweep import Sweep, SweepPoint
from benchmark_tasks.results.schema import Spent
from benchmark_tasks.results.summary import run_row
from benchmark_tasks.run import measure
from benchmark_tasks.runtimes.kinds import Post
from benchmark_tasks.runtimes.server import RunningServer
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.nvml import MadeUpGpu, MadeUpNvml
from benchmark_tasks.testing.quick import QUICK, landed, quick_sweep
from benchmark_tasks.testing.weights import write_weights_folder
from benchmark_tasks.vocabulary import Weights

H100 = {"gpu_model": "H100", "num_gpus": 1}
AWAKE, ASLEEP = 350.0, 90.0
SECONDS = 0.6
BRIEF = QUICK.model_copy(
    update={"minimum_window_seconds": 0.5, "long_window_seconds": 0.6, "idle_seconds": 0.1}
)
IDLE = (SweepPoint(batch_size=4, request_rate=0.0),)


class Machine:
    """One GPU that draws less while the server sleeps; its counter goes on where it was."""

    def __init__(self, nvml: MadeUpNvml) -> None:
        self._nvml, self._gpu = nvml, MadeUpGpu(watts=AWAKE)
        nvml.answer([self._gpu])

    def draw(self, watts: float) -> None:
        gone = (self._gpu.watts - watts) * time.monotonic()
        self._gpu = MadeUpGpu(watts=watts, offset_joules=self._gpu.offset_joules + gone)
        self._nvml.answer([self._gpu])


@pytest.fixture
def machine(nvml: MadeUpNvml, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine, tell = Machine(nvml), RunningServer.tell

    def tell_and_draw(server: RunningServer, posts: Sequence[Post]) -> None:
        if not posts[0].path.startswith("/sleep"):
            machine.draw(AWAKE)
        tell(server, posts)
        if posts[0].path.startswith("/sleep"):
            machine.draw(ASLEEP)

    monkeypatch.setattr(RunningServer, "tell", tell_and_draw)
    return machine


def sweep(*levels: int, **changes: Any) -> Sweep:
    fields = {"points": IDLE, "sleep_levels": levels, "procedure": BRIEF, **H100}
    return quick_sweep(**{**fields, **changes})


def watts(took: Spent | None) -> float:
    assert took is not None and took.joules is not None
    return took.joules / took.seconds


def test_every_joule_of_falling_asleep_sleeping_and_waking_is_that_of_the_gpu(
    machine: Machine, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """350 W awake, while falling asleep and while waking; 90 W asleep."""
    monkeypatch.setenv("JOULEBOARD_MOCK_SLEEP_MS", str(1000 * SECONDS))
    folder = write_weights_folder(tmp_path / "weights")
    wanted = sweep(1, 2, weights=Weights.REAL, weights_folder=str(folder))
    measure(wanted, settings, say=lambda line: None)
    (run,) = landed(settings)
    assert run.comparability.runtime_version == "0.0.1+sleep"
    assert "--enable-sleep-mode" in run.provenance.server_arguments
    assert run.provenance.server_environment["VLLM_SERVER_DEV_MODE"] == "1"
    assert [slept.level for slept in run.sleeps] == [1, 2]
    # Level 2 answers only once its weights were read again: with the second of three requests.
    for slept, requests_to_wake in zip(run.sleeps, (1, 3), strict=True):
        window, falling, waking = slept.window, slept.falling_asleep, slept.waking
        assert slept.absent_reason is None and window is not None and window.energy is not None
        assert falling is not None and SECONDS <= falling.seconds < 2 * SECONDS
        assert waking is not None and waking.seconds >= requests_to_wake * SECONDS
        # Readings are a tenth of a second apart, so the step from one power to the other falls between two.
        assert watts(falling) == pytest.approx(AWAKE, abs=0.1 * AWAKE / SECONDS)
        assert watts(waking) == pytest.approx(AWAKE, abs=0.1 * AWAKE / SECONDS)
        assert window.energy.counter_joules / window.energy.counter_seconds == pytest.approx(ASLEEP, rel=0.3)
        assert window.energy.integral_joules is not None
    assert run.window_steady is not None and run.window_steady.energy is not None
    idle = run.window_steady.energy
    assert idle.counter_joules / idle.counter_seconds == pytest.approx(AWAKE, rel=0.1)
    row = run_row(run, settings.home)
    assert row["waking_joules_level_2"] == run.sleeps[1].waking.joules
    assert row["asleep_counter_seconds_level_1"] >= 0.5


@pytest.mark.parametrize(
    ("fault", "error", "line"),
    [
        ("no-sleep", ServerError, r"was put to sleep \(level 1\) and says that it is awake"),
        ("no-wake", ServerError, r"POST /wake_up is answered by HTTP 500: see server.log"),
    ],
)
def test_what_does_not_sleep_or_wake_is_one_line_and_no_figure(
    machine: Machine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    error: type[Exception],
    line: str,
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", fault)
    with pytest.raises(error, match=line):
        measure(sweep(1), settings, say=lambda line: None)
    (run,) = landed(settings)
    assert run.status.value == "failed" and run.sleeps == ()


def test_a_version_without_endpoints_for_sleep_is_one_line(
    machine: Machine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_MOCK_FAULT", "no-sleep-endpoints")
    with pytest.raises(ServerError, match=r"^POST /sleep\?level=1 is answered by HTTP 404: see server.log$"):
        measure(sweep(1), settings, say=lambda line: None)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gpu_model": "none", "num_gpus": 0}, "vllm can sleep on a GPU only"),
        ({"weights": Weights.STAND_IN, "sleep_levels": (2,)}, "level 2 throws the weights away"),
        ({"sleep_levels": (3,)}, "vllm has no sleep level 3; it has 1, 2"),
        ({"points": (SweepPoint(batch_size=4),)}, "ask for rate 0 and no other load"),
        ({"server": {"kind": "endpoint", "url": "http://127.0.0.1:1"}}, "an endpoint belongs to others"),
    ],
)
def test_what_cannot_sleep_is_refused_before_anything_starts(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        sweep(**{"sleep_levels": (1,), **changes})


def test_sleep_is_asked_for_beside_idle() -> None:
    closed = quick_sweep(**H100)
    asked = at_rates(closed, ["0"], [], sleep_levels=[1, 1])
    assert asked.sleep_levels == (1,) and asked.measured_version == "0.0.1+sleep"
    assert closed.measured_version == "0.0.1"
    with pytest.raises(SettingsError, match=r"ask for rate 0 and no other load beside it$"):
        at_rates(closed, ["0", "2"], [], sleep_levels=[1])
