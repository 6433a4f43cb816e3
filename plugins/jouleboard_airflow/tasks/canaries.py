"""What `benchmark_release` does before it plans: canaries in turns with earlier releases, and the decision.

A round is passed between tasks as a dict: `series` (`CanarySeries` as JSON), `planned` (see `planning`) and,
if no second round is needed, the `decisions`, so that the marts are not built twice. The first also has what
`estimating.ask_before_canaries` returns.
Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import JouleboardError, one_line
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import ROTATION_CAMPAIGN
from jouleboard_airflow.lanes import canary_lane_of
from jouleboard_airflow.tasks import choices, estimating, planning
from jouleboard_airflow.tasks.planning import Planned

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from benchmark_tasks.catalog import CanaryPolicy, Catalog
    from benchmark_tasks.plan import CanarySeries, Change, Comparison, Sweep, TurnsLeft
    from benchmark_tasks.results.schema import Run

log = logging.getLogger("airflow.task")

SCOPE, MARGIN, SHARE = "scope", "margin", "canary_share"
"""The form's fields that replace the policy for one run."""
BY_CANARIES, EVERYTHING = "by canaries", "everything"
WEEKLY = "weekly_gpu_hours"

Round = dict[str, Any]
NO_CANARIES: Round = {"series": [], "planned": []}


def plan_canaries(params: Mapping[str, Any], run_id: str) -> Round:
    """The first round: canaries of the release on every GPU model that has some and an earlier release.

    With a question if their GPU time, of all rounds, is above the limit or unknown. None where a person asks
    for everything, for certain models or tasks, or to measure again. What is impossible is said by the task
    that plans the release.
    """
    asked = [name for name in ("models", "tasks", "force", "revision") if params.get(name)]
    if params[SCOPE] == EVERYTHING or asked:
        log.info("no canaries: the form asks for %s", ", ".join(asked) or EVERYTHING)
        return NO_CANARIES
    settings = Settings.from_environment()
    try:
        catalog, landed = planning.installed_catalog(), planning.listing(settings)
        sweeps = planning.release_sweeps(catalog, landed, params, run_id)
    except (JouleboardError, AirflowSkipException) as error:
        log.info("no canaries: %s", one_line(error))
        return NO_CANARIES
    runs = planning.counting_runs(landed)
    series = [
        each
        for gpu_model, version in {sweep.gpu_model: sweep.runtime_version for sweep in sweeps}.items()
        for each in _worth_it(catalog, settings, runs, params, run_id, gpu_model, version, sweeps)
    ]
    every_round = [sweep for each in series for sweep in each.sweeps] * policy_of(catalog, params).rounds
    asking = estimating.ask_before_canaries(every_round, sweeps, params)
    return _round(series, [_first_round(each, runs) for each in series], runs, run_id) | asking


def plan_canaries_again(first: Round | None, params: Mapping[str, Any], run_id: str) -> Round:
    """The second round: canaries that are candidates or undecided; this is also the rerun that confirms them.

    And what the first round leaves out of its turns, because a server never settled.

    Raises:
        PublisherBusy, BuildError, DiskFull
    """
    from benchmark_tasks.plan import left_of_turns, to_measure_again, with_a_server_missing

    catalog, settings = planning.installed_catalog(), Settings.from_environment()
    policy, series = policy_of(catalog, params), _series_of(first)
    if not series or policy.rounds < 2:
        return NO_CANARIES
    changes = _changes(settings, series)
    again = to_measure_again(series, changes, policy.margin)
    runs = planning.counting_runs(planning.listing(settings))
    own = [run for run in runs if run.campaign_id == run_id]
    unsettled = tuple(each for each in with_a_server_missing(series, changes, own) if each not in again)
    left = [left_of_turns(each.sweeps, own, rounds=2) for each in again]
    left += [left_of_turns(each.sweeps, own) for each in unsettled]
    second = _round((*again, *unsettled), left, runs, run_id)
    return second if second["planned"] else second | {"decisions": _decided(series, changes, policy.margin)}


def decide(first: Round | None, again: Round | None, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What waits on each GPU model that has canaries, and why.

    Raises:
        PublisherBusy, BuildError, DiskFull
    """
    series = _series_of(first)
    if not series:
        return []
    settings, margin = Settings.from_environment(), policy_of(planning.installed_catalog(), params).margin
    known: list[dict[str, Any]] | None = (again or {}).get("decisions")
    decisions = _decided(series, _changes(settings, series), margin) if known is None else known
    for decision in decisions:
        log.info("%s: %s", decision["gpu_model"], decision["why"])
    return decisions


def plan_rotation(params: Mapping[str, Any], run_id: str) -> list[Planned]:
    """Configurations for which canaries stand in, measured longest ago, within the week's GPU-hours.

    Raises:
        AirflowSkipException: nothing waits, nothing is published, or the week's budget is spent.
    """
    from benchmark_tasks.plan import in_rotation, plan_release, rotation_campaign, spent_in_week
    from expectations import publications
    from expectations.history import canaries

    catalog, settings = planning.installed_catalog(), Settings.from_environment()
    choices.require_possible(choices.with_gpu_model(params, choices.ROTATION))
    if publications.current(settings) is None:
        raise AirflowSkipException("nothing to measure: nothing is published yet")
    landed, campaign = planning.listing(settings), rotation_campaign(run_id)
    runs, budget, now = planning.counting_runs(landed), params[WEEKLY], datetime.now(UTC)
    machines = {each.gpu_model: each for each in planning.reached_machines(catalog, params["gpu_model"])}
    cost = canaries.cost_of_points(settings)
    hours = catalog.canaries.weekly_gpu_hours if budget is None else float(budget)
    sweeps: list[Sweep] = []
    spent = {
        gpu_model: spent_in_week(runs, ROTATION_CAMPAIGN, gpu_model=gpu_model, now=now)
        for gpu_model in machines
    }
    for (runtime, gpu_model), version in canaries.unchanged_releases(settings).items():
        if gpu_model not in machines:
            continue
        waiting = plan_release(
            catalog,
            landed,
            runtime=runtime,
            runtime_version=version,
            gpu_model=gpu_model,
            gpus=machines[gpu_model].num_gpus,
            campaign_id=campaign,
            note=params["note"],
        ).sweeps
        chosen = in_rotation(
            waiting, runs, cost=cost, budget_gpu_hours=hours, spent_gpu_hours=spent[gpu_model]
        )
        spent[gpu_model] += sum(cost(sweep, point) or 0.0 for sweep in chosen for point in sweep.points)
        sweeps += chosen
    if not sweeps:
        raise AirflowSkipException("nothing to measure: nothing waits, or this week's GPU-hours are spent")
    return planning.planned(catalog, sweeps, [run for run in runs if run.campaign_id == campaign])


def policy_of(catalog: Catalog, params: Mapping[str, Any]) -> CanaryPolicy:
    """The catalog's policy with what the form says otherwise."""
    wanted = {"margin": params.get(MARGIN), "most_of_sweep": params.get(SHARE)}
    given = {name: value for name, value in wanted.items() if value is not None}
    return catalog.canaries.model_copy(update=given)


def _worth_it(
    catalog: Catalog,
    settings: Settings,
    runs: Sequence[Run],
    params: Mapping[str, Any],
    run_id: str,
    gpu_model: str,
    version: str,
    sweeps: Iterable[Sweep],
) -> tuple[CanarySeries, ...]:
    """The canaries on a GPU model; none if they cost more than the policy's share of all its sweeps."""
    from benchmark_tasks.plan import canary_series
    from expectations.history.canaries import reason_without_canaries

    series = canary_series(
        catalog,
        runs,
        runtime=params["runtime"],
        version=version,
        gpu_model=gpu_model,
        weights=planning.weights_of(params),
        campaign_id=run_id,
        note=params["note"],
    )
    if not series:
        log.info("%s: no canaries: no earlier release there, or no canary fits", gpu_model)
        return ()
    own = [sweep for each in series for sweep in each.sweeps]
    whole = [sweep for sweep in sweeps if sweep.gpu_model == gpu_model]
    policy = policy_of(catalog, params)
    both_rounds = own * policy.rounds
    reason = reason_without_canaries(settings, both_rounds, whole, policy.most_of_sweep)
    if reason is None:
        return series
    log.info("%s: no canaries, everything is measured: %s", gpu_model, reason)
    return ()


def _first_round(series: CanarySeries, runs: Iterable[Run]) -> TurnsLeft:
    """What is left to measure; nothing if the release has its two servers already, of any campaign."""
    from benchmark_tasks.plan import TurnsLeft, left_of_turns

    runs = list(runs)
    release = [sweep for sweep in series.sweeps if sweep.runtime_version == series.version]
    if not left_of_turns(release, runs).sweeps:
        return TurnsLeft(())
    campaign = series.sweeps[0].campaign_id
    return left_of_turns(series.sweeps, [run for run in runs if run.campaign_id == campaign])


def _round(
    series: Sequence[CanarySeries], left: Sequence[TurnsLeft], runs: Iterable[Run], run_id: str
) -> Round:
    own = [run for run in runs if run.campaign_id == run_id]
    entries = []
    for each, turns in zip(series, left, strict=True):
        if not turns.sweeps:
            continue
        title = f"{each.sweeps[0].model_id} | {each.version} in turns with {', '.join(each.versions)}"
        entries.append(planning.in_turns(turns, title, canary_lane_of(each.gpu_model).task_id, own))
        log.info("to measure, on %s: %s", each.gpu_model, title)
    return {"series": _adapter().dump_python(tuple(series), mode="json"), "planned": entries}


def _series_of(round_: Round | None) -> tuple[CanarySeries, ...]:
    return _adapter().validate_python((round_ or NO_CANARIES)["series"])


def _adapter() -> TypeAdapter[tuple[CanarySeries, ...]]:
    from pydantic import TypeAdapter

    from benchmark_tasks.plan import CanarySeries

    return TypeAdapter(tuple[CanarySeries, ...])


def _decided(
    series: Sequence[CanarySeries], changes: Mapping[Comparison, Change], margin: float
) -> list[dict[str, Any]]:
    from benchmark_tasks.plan import decide as decide_from

    return [asdict(decision) for decision in decide_from(series, changes, margin)]


def _changes(settings: Settings, series: Sequence[CanarySeries]) -> dict[Comparison, Change]:
    from expectations.history.canaries import canary_changes_now

    changes: dict[Comparison, Change] = {}
    for runtime, version in {(each.sweeps[0].runtime, each.version) for each in series}:
        changes |= canary_changes_now(settings, runtime, version, say=log.info)
    return changes
