"""A small client of Airflow's REST API, for the demo and the end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx

from benchmark_tasks.errors import ERROR_PREFIX, JouleboardError
from jouleboard_airflow.platform.installation import USER, Installation

FINISHED = frozenset({"success", "failed"})
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG and its state."""

    dag_id: str
    run_id: str
    state: str

    @property
    def finished(self) -> bool:
        """Whether its state is final."""
        return self.state in FINISHED


@dataclass(frozen=True)
class TaskInstance:
    """One task of a run. `map_index`: -1 if the task is not mapped. `name`: as the UI shows it."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    name: str


class Airflow:
    """A session with the API server, with a login.

    Every method raises a `JouleboardError` when Airflow does not answer or refuses the request.
    """

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        credentials = {"username": USER, "password": installation.password()}
        self._http = httpx.Client(base_url=installation.url, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self.token = str(self._call("POST", "/auth/token", json=credentials)["access_token"])
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def dag_ids(self) -> list[str]:
        """Ids of all DAGs."""
        return sorted(dag["dag_id"] for dag in self._call("GET", "/api/v2/dags")["dags"])

    def is_paused(self, dag_id: str) -> bool | None:
        """Whether a DAG is paused; None while the scheduler does not know it."""
        dag = self._find(f"/api/v2/dags/{dag_id}")
        return None if dag is None else dag["is_paused"]

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def import_errors(self) -> list[str]:
        """Why DAG files could not be read, one line per file."""
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return [error["stack_trace"].strip().splitlines()[-1] for error in errors]

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> DagRun:
        """Start a run of a DAG now, with these parameters."""
        body = {"conf": conf, "logical_date": None}
        return _dag_run(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body))

    def run(self, dag_id: str, run_id: str) -> DagRun | None:
        """A run by its id, or None."""
        answer = self._find(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        return None if answer is None else _dag_run(answer)

    def runs(self, dag_id: str) -> list[DagRun]:
        """The latest 100 runs of a DAG, newest first."""
        query = {"limit": 100, "order_by": "-id"}
        runs = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
        return [_dag_run(run) for run in runs]

    def clear(self, run: DagRun) -> None:
        """Clear every task of a run, so that it runs again."""
        body = {"dry_run": False, "dag_run_id": run.run_id, "only_failed": False, "reset_dag_runs": True}
        self._call("POST", f"/api/v2/dags/{run.dag_id}/clearTaskInstances", json=body)

    def mark_failed(self, run: DagRun, task: TaskInstance) -> None:
        """Mark a task failed, as a person does in the UI; a running task is stopped."""
        mapped = f"/{task.map_index}" if task.map_index >= 0 else ""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}{mapped}"
        self._call("PATCH", path, json={"new_state": "failed"})

    def mark_success(self, run: DagRun) -> None:
        """Mark a run as success, as a person does who accepts that it failed."""
        self._call("PATCH", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}", json={"state": "success"})

    def runs_started_by(self, source: DagRun, since: datetime) -> list[DagRun]:
        """Runs that asset events of `source` started; only events since then, as it may be a second try."""
        query = {
            "source_dag_id": source.dag_id,
            "source_run_id": source.run_id,
            "timestamp_gte": since.isoformat(),
        }
        events = self._call("GET", "/api/v2/assets/events", params=query)["asset_events"]
        started = [run for event in events for run in event["created_dagruns"]]
        return [DagRun(run["dag_id"], run["run_id"], run["state"]) for run in started]

    def tasks(self, run: DagRun) -> list[TaskInstance]:
        """Every task instance of a run."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        instances = self._call("GET", path, params={"limit": 1000})["task_instances"]
        return [_task_instance(instance) for instance in instances]

    def log(self, run: DagRun, task: TaskInstance) -> list[dict[str, Any]]:
        """The log of a task's latest try: one dict per line, with `event`, `level` and `logger`."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}/logs"
        query = {"full_content": True, "map_index": task.map_index}
        answer = self._find(f"{path}/{max(1, task.try_number)}", params=query)
        lines = answer["content"] if answer else []
        return [line if isinstance(line, dict) else {"event": line} for line in lines]

    def result(self, run: DagRun, task_id: str) -> Any:
        """What a task returned; None if it returned nothing."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}"
        answer = self._find(f"{path}/xcomEntries/return_value", params={"deserialize": True})
        return answer and answer["value"]

    def set_pool_slots(self, pool: str, slots: int) -> int:
        """Resize a pool. Returns its number of slots."""
        body = {"pool": pool, "slots": slots, "include_deferred": False}
        answer = self._call("PATCH", f"/api/v2/pools/{pool}", json=body)
        return int(answer["slots"])

    def questions(self, run: DagRun) -> list[dict[str, Any]]:
        """The open questions of a run, each with its `subject`."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/hitlDetails"
        answer = self._call("GET", path, params={"response_received": False})
        return [
            question
            for question in answer["hitl_details"]
            if question["task_instance"]["state"] == "awaiting_input"
        ]

    def answer(self, run: DagRun, task_id: str, option: str, fields: dict[str, Any]) -> None:
        """Answer a question, as a person does under Required Actions."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._call("PATCH", path, json={"chosen_options": [option], "params_input": fields})

    def get(self, path: str) -> httpx.Response:
        """Any page, with this session's login and whatever status."""
        return self._http.get(path)

    def errors(self, run: DagRun) -> list[str]:
        """One line per failed task: its name and its error. A verdict only repeats the other errors."""
        failed = [task for task in self.tasks(run) if task.state == "failed"]
        causes = [task for task in failed if task.task_id != "verdict"] or failed
        return [f"{task.name}: {error_line(self.log(run, task))}" for task in causes]

    def _find(self, path: str, **options: Any) -> Any:
        return self._call("GET", path, missing=lambda: None, **options)

    def _call(self, method: str, path: str, missing: Callable[[], None] | None = None, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
            if response.status_code == HTTPStatus.NOT_FOUND and missing:
                return missing()
            return response.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            answer = f"{error.response.status_code}: {error.response.text[:200]}"
            raise JouleboardError(f"Airflow refused {method} {path}: {answer}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise JouleboardError(
                f"Airflow does not answer at {self._http.base_url} ({type(error).__name__}); "
                "`make status` says what runs"
            ) from error


def error_line(log: list[dict[str, Any]]) -> str:
    """What went wrong, from a task's log: its error line, or else the exception that ended it."""
    for line in reversed(log):
        if line["event"].startswith(ERROR_PREFIX):
            return str(line["event"]).removeprefix(ERROR_PREFIX)
    for line in reversed(log):
        for detail in line.get("error_detail") or ():
            return f"{detail['exc_type']}: {detail['exc_value']}"
    return str(log[-1]["event"]) if log else "the task has no log"


def _dag_run(answer: dict[str, Any]) -> DagRun:
    return DagRun(answer["dag_id"], answer["dag_run_id"], answer["state"])


def _task_instance(answer: dict[str, Any]) -> TaskInstance:
    task_id, map_index = answer["task_id"], answer["map_index"]
    suffix = f" [{answer['rendered_map_index'] or map_index}]" if map_index >= 0 else ""
    return TaskInstance(task_id, map_index, answer["state"], answer["try_number"], f"{task_id}{suffix}")
