"""What `confirm_changes` does: tell what reruns said, and plan both releases of each candidate in turns.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.results.identity import NO_GPU
from benchmark_tasks.settings import Settings
from jouleboard_airflow.lanes import lane_of
from jouleboard_airflow.tasks import choices, planning
from jouleboard_airflow.tasks.planning import MEASURES, Planned

log = logging.getLogger("airflow.task")

BUDGET = "weekly_gpu_hours"
"""The form's field for the budget."""
DEFAULT_BUDGET_GPU_HOURS = 2.0
BASIS = "basis"
"""The form's field for where candidates come from."""
PUBLISHED, LANDED = "published", "landed"
"""The current publication; or all runs that have landed, also those that no publication has yet."""


def plan_confirmations(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """The reruns of changes that are candidates, each one task: old, new, new, old on the same GPUs.

    Raises:
        AirflowSkipException: nothing is published, no change is a candidate, or none fits into the budget.
        Impossible: the form's GPU model is not here.
    """
    from benchmark_tasks.plan import confirmation_campaign, left_of_turns
    from expectations import publications
    from expectations.history import confirmation
    from expectations.history.canaries import cost_of_points

    catalog, settings = planning.installed_catalog(), Settings.from_environment()
    choices.require_possible(choices.with_gpu_model(params, choices.CONFIRM))
    landed = params[BASIS] == LANDED
    if not landed and publications.current(settings) is None:
        raise AirflowSkipException("nothing to measure: nothing is published yet")
    gpu_models = [each.gpu_model for each in planning.reached_machines(catalog, params["gpu_model"])]
    if gpu_models == [NO_GPU]:
        raise AirflowSkipException("nothing to measure: without a GPU there is no energy to confirm")
    if loads := confirmation.loads_of_several_releases(settings):
        log.info("left out: %d loads at a request rate, which are not compared between releases", loads)
    campaign = confirmation_campaign(run_id)
    runs = planning.counting_runs(planning.listing(settings))
    reruns = confirmation.plan_confirmations(
        catalog,
        confirmation.candidates_now(settings, say=log.info) if landed else confirmation.candidates(settings),
        runs,
        gpu_models=gpu_models,
        cost=cost_of_points(settings),
        budget_gpu_hours=params[BUDGET],
        now=datetime.now(UTC),
        campaign_id=campaign,
        note=params["note"],
        say=log.info,
    )
    own = [run for run in runs if run.campaign_id == campaign]
    entries = []
    for candidate, sweeps in reruns:
        left = left_of_turns(sweeps, own)
        if left.sweeps:
            lane = lane_of(left.sweeps[0].model_dump(mode="json"), canary=False).task_id
            entry = planning.in_turns(left, str(candidate), lane, own)
            entries.append(entry | {MEASURES: planning.measures(sweeps[1])})
            log.info("to measure: %s", candidate)
    if not entries:
        raise AirflowSkipException(
            "nothing to measure: no change waits for reruns, or the week's GPU-hours are spent"
        )
    return entries


def tell(publications: int) -> str:
    """Leave to the notifier which changes reruns confirmed or did not confirm, and which are contested.

    Returns the title.

    publications: how many are new since this was told last.

    Raises:
        AirflowSkipException: nothing new was said.
        PublicationError, DiskFull
    """
    from expectations.history.confirmation import newly_told
    from jouleboard_airflow.notifications.delivery import post
    from jouleboard_airflow.notifications.receivers import Message, Mood

    settings = Settings.from_environment()
    news = newly_told(settings, publications)
    if not news.lines:
        raise AirflowSkipException("neither reruns nor persons said anything new of a change")
    post(Message(news.title, "\n".join(news.lines), Mood.NEWS), settings)
    return news.title
