"""What the tasks about new models and revisions do: calls of the same functions as `jouleboard proposals`.

Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings
from jouleboard_airflow.tasks import choices

if TYPE_CHECKING:
    from benchmark_tasks.catalog import Catalog, HubWatch

log = logging.getLogger("airflow.task")

HUB = "hub"
"""The parameter of `watch_releases` that says whether the model hub is asked, too."""


def models_to_propose(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arguments of the triggers of `propose_model`: one entry per new model without a decision.

    Every call returns all of them; as a run id exists only once, each model gets one run.

    Raises:
        AirflowSkipException: this run or installation does not ask a hub.
        IndexUnreachable, HubRefused, CatalogError: see `releases/hub.py` and `releases/proposals.py`.
    """
    from benchmark_tasks.releases.hub import Hub
    from benchmark_tasks.releases.proposals import new_models

    catalog, settings = _catalog_and_settings()
    policy = _policy(catalog)
    _require_watched(params, settings)
    if policy is None or not policy.organisations:
        raise AirflowSkipException(
            "the model hub is not asked for new models: watch.yaml names no organisations"
        )
    with _skipping_unknown_hub(settings):
        new, lines = new_models(Hub(settings), catalog, policy, settings)
    _log(lines)
    log.info("%d new models to decide on: %s", len(new), [model.model_id for model in new])
    return [
        {"trigger_run_id": propose_run_id(model.model_id), "conf": {"model_id": model.model_id}}
        for model in new
    ]


def revisions_to_benchmark(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arguments of the triggers of `benchmark_release`: one entry per model and revision to measure.

    Every call returns all of them; as a run id exists only once, each revision gets one run.

    Raises:
        AirflowSkipException: this run or installation does not ask a hub.
        IndexUnreachable, CatalogError, DiskFull: see `releases/revisions.py`.
    """
    from benchmark_tasks.releases import revisions
    from benchmark_tasks.releases.hub import Hub

    catalog, settings = _catalog_and_settings()
    _require_watched(params, settings)
    with _skipping_unknown_hub(settings):
        due, lines = revisions.watch(Hub(settings), catalog, settings)
    _log(lines)
    return [
        _benchmark(revised.model.model_id, revised.revision, revised.model.runtime, params["gpu_model"])
        for revised in due
    ]


def propose(params: Mapping[str, Any]) -> dict[str, Any]:
    """The proposal of a model, with a `question` if a person decides on it.

    Raises:
        AirflowSkipException: the proposal was rejected, or no model was named and there is no new one.
        Impossible: a field of the form asks for something that cannot be done here.
        IndexUnreachable, HubRefused, ProposalError, CatalogError, DiskFull: see `releases/proposals.py`.
    """
    from benchmark_tasks.errors import ProposalError
    from benchmark_tasks.releases import proposals
    from benchmark_tasks.releases.hub import Hub

    choices.require_possible(choices.with_gpu_model(params, (*choices.PROPOSE, HUB)))
    catalog, settings = _catalog_and_settings()
    policy = _policy(catalog)
    if policy is None:
        raise ProposalError("watch.yaml has no section `hub`: no models are proposed")
    model_id = params["model_id"] or _first_new_model(params)
    known = proposals.path_of(model_id, settings).exists()
    proposal = (
        proposals.find(model_id, settings)
        if known
        else proposals.propose(model_id, Hub(settings), catalog, policy, settings)
    )
    result = {"model_id": proposal.model_id}
    if proposal.state is proposals.State.REJECTED:
        who = proposal.decision.by if proposal.decision else "unknown"
        raise AirflowSkipException(f"{proposal.model_id} was rejected by {who}")
    if proposal.state is proposals.State.ACCEPTED or not proposals.asks_a_person(proposal, policy):
        return result
    if proposal.missing:
        lacking = proposals.not_known(proposal)
        log.warning("%s cannot be accepted as it is; not known: %s", proposal.model_id, lacking)
        return {**result, "lacking": lacking}
    return {**result, "question": proposals.question(proposal)}


def _first_new_model(params: Mapping[str, Any]) -> str:
    """The first new model that the watch finds and that nobody has decided on.

    Raises:
        AirflowSkipException: there is none, or no hub is asked.
    """
    new = models_to_propose({HUB: True, **params})
    if not new:
        raise AirflowSkipException(
            "no model was named, and the watch finds no new one: write a model's id in the form"
        )
    return str(new[0]["conf"]["model_id"])


def accept(
    proposed: Mapping[str, Any] | None, answer: Mapping[str, Any] | None, gpu_model: str | None
) -> list[dict[str, Any]]:
    """Accept a model, and return the arguments of the trigger of its benchmark. Repeating it is harmless.

    answer: `who` and `why` if a person was asked; None if the policy accepts.

    Raises:
        AirflowSkipException: nothing was proposed, or a fact is missing that a person must give first.
        ProposalError, CatalogError, DiskFull: see `releases/proposals.py`.
    """
    from benchmark_tasks.releases import proposals

    settings, proposed = Settings.from_environment(), _proposed(proposed)
    model_id = proposed["model_id"]
    if lacking := proposed.get("lacking"):
        raise AirflowSkipException(
            f"facts are missing: {lacking}; give them with "
            f"`jouleboard proposals accept {model_id} --set NAME=VALUE`"
        )
    if proposals.find(model_id, settings).state is not proposals.State.ACCEPTED:
        by, why = (answer["who"], answer["why"]) if answer else (proposals.POLICY, None)
        proposals.accept(model_id, settings, by=by or "unknown", why=why)
    catalog, _ = _catalog_and_settings()
    model = catalog.model(model_id)
    return [_benchmark(model.model_id, str(model.revision), model.runtime, gpu_model)]


def settle(proposed: Mapping[str, Any] | None, answer: Mapping[str, Any] | None) -> str:
    """Store a rejection, and return the decision on the model in one line.

    Raises:
        AirflowSkipException: nothing was proposed, or nobody answered, so the model stays proposed.
        ProposalError, CatalogError, DiskFull: see `releases/proposals.py`.
    """
    from benchmark_tasks.releases import proposals

    settings, proposed = Settings.from_environment(), _proposed(proposed)
    model_id = proposed["model_id"]
    proposal = proposals.find(model_id, settings)
    rejected = answer if answer and answer["who"] is not None and not answer["approved"] else None
    if proposal.state is proposals.State.PROPOSED and rejected:
        proposals.reject(model_id, settings, by=rejected["who"], why=rejected["why"])
        proposal = proposals.find(model_id, settings)
    if proposal.decision is None:
        raise AirflowSkipException(f"{model_id} stays proposed; decide later with `jouleboard proposals`")
    return f"{model_id} {proposal.state} by {proposal.decision.by}"


def _proposed(proposed: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What `propose` returned; it returned nothing if it was skipped."""
    if proposed is None:
        raise AirflowSkipException("nothing was proposed: see the log of the task propose")
    return proposed


def propose_run_id(model_id: str) -> str:
    """Id of the one run that proposes a model."""
    return f"propose__{model_id.replace('/', '~')}"


def benchmark_run_id(model_id: str, revision: str) -> str:
    """Id of the one run that measures a model at a revision."""
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
        raise AirflowSkipException("the model hub is not asked: it is switched off in the form of this run")
    if settings.hub_offline:
        raise AirflowSkipException("the model hub is not asked: HF_HUB_OFFLINE is set")


@contextmanager
def _skipping_unknown_hub(settings: Settings) -> Iterator[None]:
    """Skip the task if the public hub does not answer and has never answered this installation.

    Such an installation has no way to the hub: that is no failure. A hub that was named (`HF_ENDPOINT`), or
    that has answered before, fails the task.

    Raises:
        AirflowSkipException: there is no hub here.
        IndexUnreachable: the hub does not answer now.
    """
    from benchmark_tasks.errors import IndexUnreachable

    try:
        yield
    except IndexUnreachable as error:
        has_answered = (settings.catalog / "revisions").exists() or settings.proposals.exists()
        if settings.hub_url or has_answered:
            raise
        raise AirflowSkipException(
            f"the public model hub has never answered this installation, so it is not watched: {error}; set "
            "HF_ENDPOINT to your own hub, or HF_HUB_OFFLINE=1 if there is none"
        ) from error


def _log(lines: list[str]) -> None:
    for line in lines:
        log.info("%s", line)


def _policy(catalog: Catalog) -> HubWatch | None:
    return catalog.watch.hub


def _catalog_and_settings() -> tuple[Catalog, Settings]:
    from benchmark_tasks.catalog import load

    settings = Settings.from_environment()
    return load(overlay=settings.catalog), settings
