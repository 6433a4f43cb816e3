"""A component of the platform is killed or hangs: when is it seen, when does it work again, what is lost?

`PYTHONPATH=plugins python -m benchmarks.kill_table [--only scheduler] [--json]` starts a real platform in a
home of its own. Each component gets SIGKILL, and later SIGSTOP, after which a process is there and does
nothing. Each time a run with 8 tasks is on its way; it is lost if it does not succeed in the end.

Nothing is measured, so this needs no GPU and no network. It takes about 20 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.waiting import until
from benchmarks.orchestration import running
from jouleboard_airflow.platform import components, heartbeats, supervisor
from jouleboard_airflow.platform.api import Airflow, DagRun
from jouleboard_airflow.platform.components import Component
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.platform.watch import SILENT_SECONDS

DAG = "no_op_sweeps"
TASKS = {"tasks": 8, "points": 1}
SEEN_SECONDS = 300.0
WORKS_SECONDS = 600.0
ENDED_SECONDS = 900.0
SIGNALS = (signal.SIGKILL, signal.SIGSTOP)


@dataclass(frozen=True)
class Case:
    """What happened after a signal; seconds since it was sent. run_state: of the run that was on its way."""

    component: str
    sent: str
    seen_seconds: float
    works_seconds: float
    run_state: str


def main() -> None:
    """Measure, print, and fail if a run was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[component.value for component in Component])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = [component for component in Component if options.only in (None, component.value)]
    with (
        PackageIndex({"vllm": ["0.32.0"], "xfuser": ["0.1.0"]}) as index,
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), index.url, fleet="", dags=(DAG,)) as (installation, airflow),
    ):
        cases = [hit(installation, airflow, component, sent) for component in chosen for sent in SIGNALS]
    report(cases, as_json=options.json)
    if any(case.run_state != "success" for case in cases):
        sys.exit("error: a run was lost")


def hit(installation: Installation, airflow: Airflow, component: Component, sent: signal.Signals) -> Case:
    """Send a signal to a component while a run is on its way, and wait until all is well again."""
    print(f"{sent.name} to {component.value}", file=sys.stderr, flush=True)
    run = airflow.trigger(DAG, TASKS)
    until(lambda: any(task.state == "running" for task in airflow.tasks(run)), 120, "a running task")
    before = _process(installation, component)
    os.kill(before, sent)
    began = time.monotonic()
    until(lambda: component.value in _troubles(installation), SEEN_SECONDS, "the supervisor's notice")
    seen = time.monotonic() - began
    until(lambda: _works_again(installation, component, before), WORKS_SECONDS, "a component that works")
    works = time.monotonic() - began
    return Case(component.value, sent.name, seen, works, _end_state(airflow, run))


def report(cases: list[Case], *, as_json: bool) -> None:
    """The table, for a person or a program."""
    if as_json:
        print(json.dumps([asdict(case) for case in cases], indent=2))
        return
    print("| component | signal | seen after | works again after | runs lost |")
    print("|---|---|---|---|---|")
    for case in cases:
        lost = "none" if case.run_state == "success" else f"1 ({case.run_state})"
        seconds = f"{case.seen_seconds:.0f} s | {case.works_seconds:.0f} s"
        print(f"| {case.component} | {case.sent} | {seconds} | {lost} |")


def _works_again(installation: Installation, component: Component, before: int) -> bool:
    """All components beat, and this one in another process."""
    last = heartbeats.read(installation).last
    ages = [heartbeats.age_seconds(last.get(each)) for each in Component]
    beating = all(age is not None and age < SILENT_SECONDS for age in ages)
    return (
        beating
        and component.value not in _troubles(installation)
        and _process(installation, component) != before
    )


def _process(installation: Installation, component: Component) -> int:
    record = components.read_record(installation)
    assert record is not None, "the platform was started"
    return record.components[component].pid


def _troubles(installation: Installation) -> dict[str, str]:
    troubles: dict[str, str] = json.loads(supervisor.state_file(installation).read_text())
    return troubles


def _end_state(airflow: Airflow, run: DagRun) -> str:
    """The final state of a run; what it is in if it does not end."""
    state = "unknown"

    def ended() -> bool:
        nonlocal state
        with suppress(JouleboardError, httpx.HTTPError):
            current = airflow.run(run.dag_id, run.run_id)
            state = current.state if current else "gone"
            return current is None or current.finished
        return False

    with suppress(TimeoutError):
        until(ended, ENDED_SECONDS, "the run's end")
    return state


if __name__ == "__main__":
    main()
