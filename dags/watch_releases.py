"""
### Watch releases

Asks the package index every hour for **all** releases of the watched projects from their floor (the oldest
release to measure) on, and starts one `benchmark_release` run for each release that has none yet.

The run of a release is called `release__<project>__<version>` (with `~` for the `!` of a version with an
epoch), and a run id exists only once. So each release is measured exactly once, also after days without a
watch, and also if two watches run at once. To measure a release again, clear its run, or trigger
`benchmark_release` with *Force*.

It also asks the model hub (`HF_ENDPOINT`):
- Each new model of the watched organisations gets one `propose_model` run, in which a person decides:
  `propose__<organisation>~<name>`.
- Each accepted model, and each new revision of a model in the catalog that changes more than its description,
  gets one `benchmark_release` run for this model only: `model__<organisation>~<name>__<revision>`.

If the hub does not answer, releases are still watched. A public hub that has never answered this installation
is skipped. Switch off *Ask the model hub* in the form, or set `HF_HUB_OFFLINE=1`, to ask no hub.

Withdrawn releases, pre-releases and releases without a build for this machine are left out, each with one
line in the log of `find_releases`. Files of a release appear on the index one by one: a release of which no
wheel fits the Python and platform of the hosts (`JOULEBOARD_FLEET_PLATFORM`) is "not yet"; every watch looks
at it again. A page that cannot be read or lists no files of the project (a sign-in page) fails `verdict`, or
`find_releases` if there is no other; the releases of the other projects are started all the same.

Floors: `watch.yaml` of the catalog; `JOULEBOARD_VLLM_FLOOR` and similar variables for this installation; the
form for one run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, task

from jouleboard_airflow.dag_parts import forms, schedules
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.failures import one_line_errors
from jouleboard_airflow.tasks import models, releases
from jouleboard_airflow.tasks.choices import TITLES

CATALOG, NOTICE = forms.installed_catalog()
HERE = forms.Here.known(CATALOG)
UNKNOWN = "unknown"
"""XCom key: a line per project whose releases could not be read."""


@dag(
    schedule=schedules.at("17 * * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    deadline=deadline(hours=1),
    default_args={"owner": "jouleboard"},
    tags=["jouleboard", "releases"],
    doc_md=__doc__ + NOTICE,
    params={
        **{releases.floor_param(each.project): forms.floor(each.project) for each in CATALOG.watch.projects},
        "gpu_model": forms.gpu_model(HERE),
        models.HUB: Param(
            True,
            type="boolean",
            title=TITLES[models.HUB],
            description="Look for new models and revisions.",
        ),
    },
)
def watch_releases() -> None:
    @task(execution_timeout=timedelta(minutes=10))
    def find_releases(params: dict[str, Any], ti: Any) -> list[dict[str, Any]]:
        """Ask the package index; one entry per release."""
        with one_line_errors(ti):
            found = releases.releases_to_benchmark(params)
        ti.xcom_push(key=UNKNOWN, value=found.unknown)
        return found.runs

    @task
    def verdict(ti: Any) -> None:
        """Fails if the page of a project could not be read, so that people are told."""
        with one_line_errors(ti):
            releases.require_all_known(ti.xcom_pull(task_ids="find_releases", key=UNKNOWN))

    @task(execution_timeout=timedelta(minutes=10))
    def find_models(params: dict[str, Any], ti: Any) -> list[dict[str, Any]]:
        """Ask the hub for new models; one entry per model."""
        with one_line_errors(ti):
            return models.models_to_propose(params)

    @task(execution_timeout=timedelta(minutes=10))
    def find_revisions(params: dict[str, Any], ti: Any) -> list[dict[str, Any]]:
        """Ask the hub for new revisions; one entry per revision to measure."""
        with one_line_errors(ti):
            return models.revisions_to_benchmark(params)

    found = find_releases()
    _start_each("start_benchmark", "benchmark_release", found)
    found >> verdict()
    _start_each("propose", "propose_model", find_models())
    _start_each("start_revision", "benchmark_release", find_revisions())


def _start_each(task_id: str, dag_id: str, entries: Any) -> None:
    """Start one run of another DAG per entry, unless that run exists."""
    TriggerDagRunOperator.partial(
        task_id=task_id,
        trigger_dag_id=dag_id,
        logical_date=None,
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
        retries=2,
        retry_delay=timedelta(seconds=5),
    ).expand_kwargs(entries)


watch_releases()
