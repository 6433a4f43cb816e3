"""Several plans on one host: who gets which GPUs, when, and what is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from benchmark_tasks.errors import CatalogError, JouleboardError
from benchmark_tasks.plan.host_queue import Chain, environment_for, measure_chains, split_argument
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.quick import landed, quick_sweep
from benchmark_tasks.testing.waiting import until

WAITS_TO_BE_LET_GO = """
import os, pathlib, sys, time
plan = pathlib.Path(sys.argv[1])
plan.with_suffix(".gpus").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
while not plan.with_suffix(".go").exists():
    time.sleep(0.02)
print("said at the end", flush=True)
sys.exit(int(plan.with_suffix(".go").read_text()))
"""


def chain(name: str, gpus: int) -> Chain:
    return Chain(name, (quick_sweep(num_gpus=gpus, gpu_model="H200"),))


def _waiting(plan: object) -> tuple[str, ...]:
    """A command that ends when it is let go."""
    return (sys.executable, "-c", WAITS_TO_BE_LET_GO, str(plan))


class Host:
    """A host whose plans are measured by processes that wait until they are let go."""

    def __init__(self, tmp_path: Path, chains: Sequence[Chain], gpus: Sequence[int]) -> None:
        self.said: list[str] = []
        self.error: Exception | None = None
        self._queue = tmp_path / "queue"
        self._arguments = (chains, gpus, Settings(home=tmp_path))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            measure_chains(*self._arguments, say=self.said.append, command=_waiting)
        except JouleboardError as error:
            self.error = error

    def gpus_of(self, name: str) -> str | None:
        """What a plan's process may use; `None` before it was started."""
        found = [path.read_text() for path in self._queue.glob(f"*/{name}.gpus")]
        return found[0] if found and found[0] else None

    def let_go(self, name: str, code: int = 0) -> None:
        (folder,) = self._queue.iterdir()
        (folder / f".{name}").write_text(str(code))
        (folder / f".{name}").replace(folder / f"{name}.go")

    def wait(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_plans_run_at_once_on_gpus_of_their_own_and_in_order(tmp_path: Path) -> None:
    chains = [chain("a", 2), chain("b", 1), chain("c", 2), chain("d", 1), chain("e", 0)]
    host = Host(tmp_path, chains, gpus=(0, 1, 3))
    until(lambda: host.gpus_of("a") and host.gpus_of("b"), 20)
    assert (host.gpus_of("a"), host.gpus_of("b")) == ("0,1", "3")
    host.let_go("b")
    until(lambda: any("b: done" in line for line in host.said), 20)
    assert host.gpus_of("c") is None, "one GPU is free, two are needed"
    assert host.gpus_of("d") is None, "nobody overtakes one that waits for several GPUs"
    host.let_go("a")
    until(lambda: host.gpus_of("c") and host.gpus_of("d") and host.gpus_of("e"), 20)
    assert (host.gpus_of("c"), host.gpus_of("d")) == ("0,1", "3")
    for name in "cde":
        host.let_go(name)
    host.wait()
    assert host.error is None
    assert "GPU 0+1 | said at the end" in host.said and "CPU | e: started" in host.said


def test_a_plan_that_fails_costs_no_other(tmp_path: Path) -> None:
    host = Host(tmp_path, [chain("a", 1), chain("b", 1)], gpus=(0,))
    until(lambda: host.gpus_of("a"), 20)
    host.let_go("a", code=4)
    until(lambda: host.gpus_of("b"), 20)
    host.let_go("b")
    host.wait()
    assert "1 of 2 plans failed (a: said at the end)" in str(host.error)


def test_too_few_gpus_are_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="b needs 2 GPU\\(s\\), but this process may use 1"):
        measure_chains([chain("a", 1), chain("b", 2)], (0,), Settings(home=tmp_path), say=print)
    assert not (tmp_path / "queue").exists()


def test_no_two_plans_share_a_compiler_cache(tmp_path: Path) -> None:
    one, other = (environment_for(gpus, Settings(home=tmp_path), {"A": "b"}) for gpus in ((0,), (1, 2)))
    assert other["CUDA_VISIBLE_DEVICES"] == "1,2" and other["A"] == "b"
    caches = [name for name in one if name.endswith(("CACHE_DIR", "CACHE_ROOT"))]
    assert len(caches) == 3 and all(one[name] != other[name] for name in caches)
    assert environment_for((), Settings(home=tmp_path), {"A": "b"}) == {"A": "b"}


def test_arguments() -> None:
    assert split_argument("a/b.json") == (Path("a/b.json"), ())
    assert split_argument("a/b.json:0+12") == (Path("a/b.json"), (0, 12))
    assert split_argument("a:b.json") == (Path("a:b.json"), ())
    assert split_argument("") == (Path(), ())


def command(home: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark_tasks.cli", "measure-all", *map(str, arguments)],
        env={**os.environ, "JOULEBOARD_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "quick.json"
    sweeps = (quick_sweep(2), quick_sweep(3), quick_sweep(4))
    path.write_text(Plan(sweeps=sweeps).model_dump_json())
    return path


def test_the_command_measures_what_it_is_given(tmp_path: Path, plan: Path) -> None:
    process = command(tmp_path / "home", f"{plan}:0", f"{plan}:2")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    runs = landed(Settings(home=tmp_path / "home"))
    assert [run.configuration.batch_size for run in runs] == [2, 4]
    assert "CPU | 1-quick-0: done" in err and "CPU | batch 4: completed" in err


def test_what_cannot_be_read_is_one_line(tmp_path: Path, plan: Path) -> None:
    for argument, said in ((f"{plan}:3", "none with index 3"), (tmp_path / "none.json", "No such file")):
        process = command(tmp_path / "home", argument)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1 and said in err and len(err.splitlines()) == 1


def test_told_to_stop_it_leaves_no_process(tmp_path: Path, plan: Path) -> None:
    process = command(tmp_path / "home", plan)
    assert process.stderr is not None
    for line in process.stderr:
        if "measuring for" in line or "warming up" in line:
            break
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) > 2, "a guardian, the measurement, its server"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    psutil.wait_procs(started, timeout=30)
    assert not [child for child in started if child.is_running()]
