"""
### Weekly digest

Sends what happened in the last week to everybody whom notifications reach: releases that `watch_releases` saw
for the first time, releases measured for the first time, runs, changes of energy, publications, GPU-hours and
kWh. All but the first comes from the current publication; before the first one there is no digest.

`jouleboard digest` prints the same.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from jouleboard_airflow.dag_parts import schedules
from jouleboard_airflow.dag_parts.deadlines import deadline
from jouleboard_airflow.failures import RETRIES, one_line_errors
from jouleboard_airflow.tasks import digest


@dag(
    schedule=schedules.at("0 7 * * 1"),
    catchup=False,
    max_active_runs=1,
    deadline=deadline(hours=1),
    default_args={"owner": "jouleboard"},
    tags=["jouleboard", "publication"],
    doc_md=__doc__,
)
def weekly_digest() -> None:
    @task(execution_timeout=timedelta(minutes=10), **RETRIES)
    def send(ti: Any) -> str:
        """Write the digest and leave it to the notifier."""
        with one_line_errors(ti):
            return digest.send_digest()

    send()


weekly_digest()
