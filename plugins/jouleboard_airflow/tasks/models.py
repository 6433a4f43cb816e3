"""What the tasks about new models and revisions do: calls of the same functions as `jouleboard proposals`.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog, HubWatch

log = logging.getLogger("airflow.task")

HUB = "hub"
"""The watcher's parameter that says whether the model hub is asked, too."""


def models_to_propose(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a new model that nobody has decided on: arguments of the trigger of `propose_model`.

    All of them, every time; a run id exists once.

    Raises:
        AirflowSkipException: no hub is watched here.
        IndexUnreachable, HubRefused, CatalogError
    """
    from benchmark_tasks.releases.hub import Hub
    from benchmark_tasks.releases.proposals import new_models

    catalog, settings = _catalog_and_settings()
    policy = _policy(catalog)
    _require_watched(params, settings)
    if policy is None or not policy.organisations:
        raise AirflowSkipException("no new models are looked for: watch.yaml names no organisations")
    found, lines = new_models(Hub(settings), catalog, policy, settings)
    _say(lines)
    log.info("%d new models to decide on: %s", len(found), [model.model_id for model in found])
    return [
        {"trigger_run_id": propose_run_id(model.model_id), "conf": {"model_id": model.model_id}}
        for model in found
    ]


def revisions_to_benchmark(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a model to be measured at a revision: arguments of the trigger of `benchmark_release`.

    All of them, every time; a run id exists once.

    Raises:
        AirflowSkipException: no hub is watched here.
        IndexUnreachable, CatalogError, DiskFull
    """
    from benchmark_tasks.releases import revisions
    from benchmark_tasks.releases.hub import Hub

    catalog, settings = _catalog_and_settings()
    _require_watched(params, settings)
    due, lines = revisions.watch(Hub(settings), catalog, settings)
    _say(lines)
    return [
        _benchmark(one.model.model_id, one.revision, one.model.runtime, params["gpu_model"]) for one in due
    ]


def propose(params: Mapping[str, Any]) -> dict[str, Any]:
    """The proposal of a model, with a `question` if a person decides on it.

    Raises:
        AirflowSkipException: it was rejected.
        IndexUnreachable, HubRefused, ProposalError, CatalogError, DiskFull
    """
    from benchmark_tasks.errors import ProposalError
    from benchmark_tasks.releases import proposals
    from benchmark_tasks.releases.hub import Hub

    catalog, settings = _catalog_and_settings()
    policy = _policy(catalog)
    if policy is None:
        raise ProposalError("watch.yaml has no `hub`: no new models are looked for")
    model_id = params["model_id"]
    known = proposals.path_of(model_id, settings).exists()
    proposal = (
        proposals.find(model_id, settings)
        if known
        else proposals.propose(model_id, Hub(settings), catalog, policy, settings)
    )
    told = {"model_id": proposal.model_id}
    if proposal.state is proposals.State.REJECTED:
        raise AirflowSkipException(f"{proposal.model_id} was rejected by {proposal.decision.by}")
    if proposal.state is proposals.State.ACCEPTED or not proposals.asks_a_person(proposal, policy):
        return told
    if proposal.missing:
        lacking = proposals.not_known(proposal)
        log.warning("%s cannot be accepted as it is; not known: %s", proposal.model_id, lacking)
        return {**told, "lacking": lacking}
    return {**told, "question": proposals.question(proposal)}


def accept(
    proposed: Mapping[str, Any], answer: Mapping[str, Any] | None, gpu_model: str | None
) -> list[dict[str, Any]]:
    """Accept a model on a person's word, or the policy's; the argument of the trigger of its benchmark.

    answer: `who` and `why`, when a person was asked. Doing it twice changes nothing.

    Raises:
        AirflowSkipException: it lacks something that a person must give first.
        ProposalError, CatalogError, DiskFull
    """
    from benchmark_tasks.releases import proposals

    settings = Settings.from_environment()
    model_id = proposed["model_id"]
    if lacking := proposed.get("lacking"):
        raise AirflowSkipException(
            f"`jouleboard proposals accept {model_id} --set NAME=VALUE` takes what is not known: {lacking}"
        )
    if proposals.find(model_id, settings).state is not proposals.State.ACCEPTED:
        by, why = (answer["who"], answer["why"]) if answer else (proposals.POLICY, None)
        proposals.accept(model_id, settings, by=by or "unknown", why=why)
    catalog, _ = _catalog_and_settings()
    model = catalog.model(model_id)
    return [_benchmark(model.model_id, str(model.revision), model.runtime, gpu_model)]


def settle(proposed: Mapping[str, Any], answer: Mapping[str, Any] | None) -> str:
    """How it ended, in one line; a person's no is kept.

    Raises:
        AirflowSkipException: nobody answered, so that it stays proposed.
        ProposalError, CatalogError, DiskFull
    """
    from benchmark_tasks.releases import proposals

    settings = Settings.from_environment()
    model_id = proposed["model_id"]
    proposal = proposals.find(model_id, settings)
    rejected = answer is not None and not answer["approved"] and answer["who"] is not None
    if proposal.state is proposals.State.PROPOSED and rejected:
        proposals.reject(model_id, settings, by=answer["who"], why=answer["why"])
        proposal = proposals.find(model_id, settings)
    if proposal.decision is None:
        raise AirflowSkipException(f"{model_id} stays proposed: `jouleboard proposals` decides at any time")
    return f"{model_id} {proposal.state} by {proposal.decision.by}"


def propose_run_id(model_id: str) -> str:
    """The one run that proposes a model."""
    return f"propose__{model_id.replace('/', '~')}"


def benchmark_run_id(model_id: str, revision: str) -> str:
    """The one run that measures a model for the sake of a revision."""
    return f"model__{model_id.replace('/', '~')}__{revision[:12]}"


def _benchmark(model_id: str, revision: str, runtime: str, gpu_model: str | None) -> dict[str, Any]:
    conf = {
        "runtime": str(runtime),
        "models": [model_id],
        "revision": revision,
        "gpu_model": gpu_model,
        "note": f"revision {revision[:12]} of {model_id}",
    }
    return {"trigger_run_id": benchmark_run_id(model_id, revision), "conf": conf}


def _require_watched(params: Mapping[str, Any], settings: Settings) -> None:
    if not params[HUB]:
        raise AirflowSkipException("the model hub is not asked: this run was started without it")
    if settings.hub_offline:
        raise AirflowSkipException("the model hub is not asked: HF_HUB_OFFLINE is set")


def _say(lines: list[str]) -> None:
    for line in lines:
        log.info("%s", line)


def _policy(catalog: Catalog) -> HubWatch | None:
    return catalog.watch.hub


def _catalog_and_settings() -> tuple[Catalog, Settings]:
    from benchmark_tasks.catalog import load

    settings = Settings.from_environment()
    return load(overlay=settings.catalog), settings
