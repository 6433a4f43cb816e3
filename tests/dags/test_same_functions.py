"""README says that the DAGs call the same functions as the command. It is true of planning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark_tasks.cli.app import app
from benchmark_tasks.testing.package_index import PackageIndex
from jouleboard_airflow.tasks import planning

RELEASE: dict[str, Any] = {
    "runtime": "vllm",
    "version": "0.32.0",
    "gpu_model": "none",
    "models": None,
    "tasks": None,
    "repeats": 2,
    "note": "why",
    "force": False,
}


def test_the_dag_plans_what_the_command_plans(home: Path, index: PackageIndex) -> None:
    wanted = ["plan", "0.32.0", "--gpu-model", "none", "--repeats", "2", "--note", "why", "--campaign", "c"]
    told = CliRunner().invoke(app, [*wanted, "--json"])
    assert told.exit_code == 0, told.output
    command = json.loads(told.stdout)
    sweeps = command["sweeps"] if isinstance(command, dict) else command
    assert [entry["sweep"] for entry in planning.plan_release(RELEASE, "c")] == sweeps


def test_both_call_one_function(home: Path, index: PackageIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark_tasks.plan import release

    called: list[str] = []
    original = release.plan_release_on

    def counted(*arguments: Any, **options: Any) -> Any:
        called.append(options["campaign_id"])
        return original(*arguments, **options)

    monkeypatch.setattr(release, "plan_release_on", counted)
    CliRunner().invoke(app, ["plan", "0.32.0", "--gpu-model", "none", "--campaign", "command"])
    planning.plan_release(RELEASE, "dag")
    assert called == ["command", "dag"]
