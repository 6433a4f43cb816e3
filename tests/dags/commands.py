"""Commands that stand in for `jouleboard measure` in the tests of the DAGs; the real one: `tests/e2e`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import ApprovalOperator

LANDS = """
import os, sys
from pathlib import Path
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.testing.samples import sample_run, write_sample

plan = Plan.model_validate_json(Path(sys.argv[1]).read_bytes())
settings = Settings.from_environment()
speed = float(os.environ.get("TOKENS_PER_SECOND", "1500"))
for sweep in plan.sweeps:
    gpu = sweep.num_gpus > 0
    for point in sweep.points:
        for repeat in range(point.repeats):
            run = sample_run(
                gpu=gpu, configuration=sweep.configuration(point), campaign_id=sweep.campaign_id,
                batch_size=point.batch_size, tokens_per_second=speed + 10 * repeat,
                comparability=sample_run(gpu=gpu).comparability.model_copy(update=dict(
                    runtime_version=sweep.runtime_version, weights=sweep.weights,
                    request_set_id=sweep.request_set + "-chat-sample",
                    length_control=sweep.length_control, model_revision=sweep.model_revision)),
            )
            Store.of(settings).land_copy(write_sample(settings.home / "measured", run))
            print("landed", run.run_id)
"""

FAILS = """
import sys
print("starting the server")
print("error: the model does not fit: 80 GiB wanted, 8 GiB there", file=sys.stderr)
sys.exit({code})
"""


def measure_with(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the measuring command by a script that gets the plan's path."""
    from jouleboard_airflow import operators

    monkeypatch.setattr(operators, "measure_command", lambda plan: [sys.executable, "-c", script, str(plan)])


def answer(option: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Ann answers every question with this option; the questions, as subject and body.

    How a question waits for its answer is Airflow's.
    """
    questions: list[tuple[str, str]] = []
    event = {
        "chosen_options": [option],
        "params_input": {"why": "seen"},
        "responded_by_user": {"id": "1", "name": "ann"},
        "responded_at": datetime.now(UTC),
    }

    def execute(self: Any, context: Any) -> Any:
        questions.append((self.subject, self.body))
        return self.execute_complete(context, event)

    monkeypatch.setattr(ApprovalOperator, "execute", execute)
    return questions


def states(run: Any) -> dict[str, str]:
    """State by task; of a mapped task that of its first instance."""
    found: dict[str, str] = {}
    for instance in run.get_task_instances():
        found.setdefault(instance.task_id, str(instance.state))
    return found


def said(caplog: pytest.LogCaptureFixture) -> str:
    """What the tasks logged."""
    return "\n".join(record.getMessage() for record in caplog.records)
