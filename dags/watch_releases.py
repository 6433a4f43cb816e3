"""
### Watch releases

Every hour: asks the package index for **all** releases of the watched projects at or above their
floor, and starts one `benchmark_release` run for each that has none yet.

A release's run is called `release__<project>__<version>`, and a run id exists at most once: so a
release is measured exactly once, after days of downtime as well as when two watchers run. To measure
one again, clear its run or trigger `benchmark_release` with *force*.

From the model hub (`HF_ENDPOINT`) likewise: each new model of the watched organisations gets one
`propose_model` run, called `propose__<organisation>~<name>`, in which a person decides. Each new revision
of a model in the catalog that changes more than its description, and each model that was accepted, gets one
`benchmark_release` run for this model alone, `model__<organisation>~<name>__<revision>`. A hub in trouble
does not keep the package index from being watched. *Ask the model hub* off, or `HF_HUB_OFFLINE=1`: no hub.

Releases that are withdrawn, pre-releases, or without a build for this machine are left out, each with
a line in the log of `find_releases`. Floors: the catalog's `watch.yaml`, `JOULEBOARD_VLLM_FLOOR` and
the like for this installation, the form's fields for one run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import models, releases


def _floor(project: str) -> Param:
    return Param(
        None,
        type=["null", "string"],
        pattern=r"^[0-9][0-9A-Za-z.!+-]*$",
        title=f"Oldest {project} release",
        description="Empty: the configured floor.",
    )


@dag(
    schedule=schedules.at("17 * * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={"owner": "jouleboard"},
    tags=["jouleboard", "releases"],
    doc_md=__doc__,
    params={
        "vllm_floor": _floor("vllm"),
        "xfuser_floor": _floor("xfuser"),
        "gpu_model": Param(
            None,
            type=["null", "string"],
            title="GPU model",
            description='Empty: what this machine has. "none": only its CPU.',
        ),
        models.HUB: Param(
            True, type="boolean", title="Ask the model hub", description="For new models and revisions."
        ),
    },
)
def watch_releases() -> None:
    @task(execution_timeout=timedelta(minutes=5))
    def find_releases(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Ask the index; one entry a release."""
        with one_line_errors():
            return releases.releases_to_benchmark(params)

    @task(execution_timeout=timedelta(minutes=10))
    def find_models(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Ask the hub for new models; one entry each."""
        with one_line_errors():
            return models.models_to_propose(params)

    @task(execution_timeout=timedelta(minutes=10))
    def find_revisions(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Ask the hub for new revisions of the catalog's models; one entry each that is to be measured."""
        with one_line_errors():
            return models.revisions_to_benchmark(params)

    _start_each("start_benchmark", "benchmark_release", find_releases())
    _start_each("propose", "propose_model", find_models())
    _start_each("start_revision", "benchmark_release", find_revisions())


def _start_each(task_id: str, dag_id: str, found: Any) -> None:
    """One run of another DAG for each entry, unless it has one."""
    TriggerDagRunOperator.partial(
        task_id=task_id,
        trigger_dag_id=dag_id,
        logical_date=None,
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
        retries=2,
        retry_delay=timedelta(seconds=5),
    ).expand_kwargs(found)


watch_releases()
