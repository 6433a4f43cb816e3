"""Operators: a constructor and a short `execute`."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseOperatorLink

from benchmark_tasks.errors import ERROR_PREFIX
from benchmark_tasks.processes import die_with_parent
from jouleboard_airflow import links
from jouleboard_airflow.failures import ERROR_KEY, failure, one_line_errors
from jouleboard_airflow.guarded_command import GuardedCommand

if TYPE_CHECKING:
    from airflow.sdk import Context

    from benchmark_tasks.plan import TurnsLeft
    from benchmark_tasks.results.schema import Run


class BoardLink(BaseOperatorLink):
    """From a measured sweep to its first row on the board."""

    name = "Board"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow calls it so
        """Address of the row; Airflow stores it when the task ends."""
        from benchmark_tasks.plan.sweep import Sweep

        sweep = Sweep.model_validate(operator.sweep)
        return links.row(sweep.model_id, sweep.configuration(sweep.points[0]).configuration_id)


class MeasureSweepOperator(BaseOperator):
    """Measure one sweep with `jouleboard measure`, or several in turns, and land their runs.

    The command runs under a guardian, which ends it and its model server when this task ends in any way:
    marked failed, timed out, killed, or its supervisor killed. The error line of a failed sweep is pushed
    to XCom under `error`, for the verdict.

    Args:
        sweep: a `benchmark_tasks.plan.sweep.Sweep` as JSON; never rendered as a template, never in a shell.
        title: name of the sweep in the UI, through `map_index_template="{{ task.title }}"`.
        then: sweeps that are measured after it on the same GPUs, as JSON.
        known: ids of the runs that this DAG run had landed when it was planned. When the task is tried
            again or cleared, it leaves out what was landed since; of turns, what was landed on the same GPUs
            of this host.
        gpu_uuids: of the GPUs that have earlier turns of these.
        anew: what is measured if these GPUs are not here or not free, as JSON.
    """

    ui_color = "#e8f4ea"
    operator_extra_links = (BoardLink(),)

    def __init__(
        self,
        *,
        sweep: dict[str, Any],
        title: str,
        then: Sequence[dict[str, Any]] = (),
        known: Collection[str] = (),
        gpu_uuids: Sequence[str] = (),
        anew: Sequence[dict[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sweep = sweep
        self.then = then
        self.title = title
        self.known = known
        self.gpu_uuids = gpu_uuids
        self.anew = anew
        self._command: GuardedCommand | None = None

    def execute(self, context: Context) -> None:
        """Measure what is missing of the sweep; the command's lines go to the task's log.

        Raises:
            DoesNotFit, TemporaryFailure, StepFailed: with the command's error line.
        """
        die_with_parent(signal.SIGKILL)
        with one_line_errors(context["ti"]):
            missing = self._missing(first_try=context["ti"].try_number == 1)
        if not missing.sweeps:
            self.log.info("nothing to measure: the whole sweep is landed already")
            return
        exit_code, error = self._measure(missing)
        if exit_code != 0:
            context["ti"].xcom_push(key=ERROR_KEY, value=error)
            raise failure(error, exit_code)

    def on_kill(self) -> None:
        """Tell the guardian to stop; it outlives this task until the model server has ended."""
        if self._command is not None:
            self._command.terminate()

    def _missing(self, *, first_try: bool) -> TurnsLeft:
        """What is still to be measured, in its order, and on which GPUs."""
        from benchmark_tasks.host.machine import usable_uuids
        from benchmark_tasks.plan import TurnsLeft, left_when_tried_again, what_is_missing
        from benchmark_tasks.plan.sweep import Sweep

        sweeps, anew = (
            tuple(Sweep.model_validate(sweep) for sweep in asked)
            for asked in ((self.sweep, *self.then), self.anew)
        )
        planned = TurnsLeft(sweeps, tuple(self.gpu_uuids), anew)
        if first_try:
            return planned
        runs = _landed_since(sweeps[0].campaign_id, self.known)
        if not self.in_turns:
            return TurnsLeft(tuple(what_is_missing(sweeps, runs)))
        return left_when_tried_again(planned, runs, usable_uuids() if sweeps[0].num_gpus else ())

    @property
    def in_turns(self) -> bool:
        """Whether the sweeps, or this one and earlier ones, have to be measured on the same GPUs."""
        return bool(self.then or self.gpu_uuids)

    def _measure(self, missing: TurnsLeft) -> tuple[int, str]:
        """Exit code of the command, and its error line."""
        from benchmark_tasks.plan.sweep import Plan

        error = ""
        with tempfile.TemporaryDirectory(prefix="jouleboard-") as folder:
            plan = Path(folder) / "plan.json"
            asked = Plan(
                sweeps=missing.sweeps,
                same_gpus=self.in_turns,
                gpu_uuids=missing.gpu_uuids,
                anew=missing.anew if missing.gpu_uuids else (),
            )
            plan.write_text(asked.model_dump_json())
            with GuardedCommand(measure_command(plan)) as self._command:
                for line in self._command.lines():
                    error = self._log_line(line) or error
                exit_code = self._command.wait()
        return exit_code, error or f"jouleboard measure ended with exit code {exit_code}; see the lines above"

    def _log_line(self, line: str) -> str | None:
        """Log one line of the command's output. Returns its message if it is the error line."""
        if line.startswith(ERROR_PREFIX):
            self.log.error("%s", line)
            return line.removeprefix(ERROR_PREFIX)
        self.log.info("%s", line)
        return None


def measure_command(plan: Path) -> list[str]:
    """The command line that measures every sweep of a plan file."""
    return [sys.executable, "-m", "benchmark_tasks.cli", "measure", "--plan", str(plan)]


def _landed_since(campaign: str | None, known: Collection[str]) -> list[Run]:
    from benchmark_tasks.results.store import Store
    from benchmark_tasks.settings import Settings

    landed = Store.of(Settings.from_environment()).records().runs
    return [run for run, _ in landed if run.campaign_id == campaign and run.run_id not in known]
