"""Operators: a constructor and a short `execute`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from benchmark_tasks.runtimes.process import die_with_parent, stop
from jouleboard_airflow.failures import ERROR_PREFIX, failure

if TYPE_CHECKING:
    from airflow.sdk import Context

    from benchmark_tasks.plan.sweep import Sweep


class MeasureSweepOperator(BaseOperator):
    """Measure one sweep with `jouleboard measure`, and land its runs.

    The command runs under a guardian that ends it and its model server when this task ends,
    however that comes about: marked failed, timed out, killed, or its supervisor killed.

    sweep: a `benchmark_tasks.plan.sweep.Sweep` as JSON; never rendered as a template, never in a shell.
    title: what a person calls the sweep; `map_index_template="{{ task.title }}"` shows it in the UI.
    known: runs that its campaign had landed when it was planned. Tried again or cleared, the task leaves
        out what the campaign has landed since.

    The error line of a failed sweep is pushed to XCom under `error`, for the verdict.
    """

    ui_color = "#e8f4ea"

    def __init__(
        self, *, sweep: dict[str, Any], title: str, known: Collection[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sweep = sweep
        self.title = title
        self.known = known
        self._guardian: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> None:
        """Stream the command's progress into the task's log.

        Raises:
            DoesNotFit, PassingTrouble, StepFailed: with the command's error line.
        """
        die_with_parent(signal.SIGKILL)
        plan = self._plan(first_try=context["ti"].try_number == 1)
        if plan is None:
            self.log.info("all of it is landed already")
            return
        with tempfile.TemporaryDirectory(prefix="jouleboard-") as folder:
            file = Path(folder) / "plan.json"
            file.write_text(plan)
            exit_code, error = self._run(measure_command(file))
        if exit_code != 0:
            context["ti"].xcom_push(key="error", value=error)
            raise failure(error, exit_code)

    def on_kill(self) -> None:
        """Tell the guardian; it outlives this task for as long as the server needs to end."""
        if self._guardian is not None:
            self._guardian.send_signal(signal.SIGTERM)

    def _plan(self, *, first_try: bool) -> str | None:
        """The plan to measure, as JSON; None when nothing of it is missing any more."""
        from benchmark_tasks.plan.sweep import Plan, Sweep

        sweep = Sweep.model_validate(self.sweep)
        missing = sweep if first_try else _not_landed_since(sweep, self.known)
        return missing and Plan(sweeps=(missing,)).model_dump_json()

    def _run(self, command: list[str]) -> tuple[int, str]:
        error = ""
        guardian = [sys.executable, "-m", "benchmark_tasks.runtimes.guardian", str(os.getpid()), "--"]
        self._guardian = subprocess.Popen(
            [*guardian, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            for line in self._guardian.stdout:
                error = _log_line(self.log, line.rstrip()) or error
            exit_code = self._guardian.wait()
        finally:
            stop(self._guardian)
        return exit_code, error or f"jouleboard measure ended with code {exit_code}; its log is above"


def measure_command(plan: Path) -> list[str]:
    """The command line that measures every sweep of a plan file."""
    return [sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan)]


def _not_landed_since(sweep: Sweep, known: Collection[str]) -> Sweep | None:
    from benchmark_tasks.plan.planning import still_missing
    from benchmark_tasks.results.store import Store
    from benchmark_tasks.settings import Settings

    landed = Store.of(Settings.from_environment()).records().runs
    own = [run for run, _ in landed if run.sweep_id == sweep.campaign_id and run.run_id not in known]
    return still_missing(sweep, own)


def _log_line(log: Any, line: str) -> str | None:
    """Log one line of the command's output; returns the message when it is the error line."""
    if line.startswith(ERROR_PREFIX):
        log.error("%s", line)
        return line.removeprefix(ERROR_PREFIX)
    log.info("%s", line)
    return None
