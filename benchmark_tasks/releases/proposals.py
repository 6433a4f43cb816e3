"""New models of the hub: proposed with the facts that are known, and accepted or rejected by a person.

    $JOULEBOARD_HOME/proposals/<organisation>--<name>.yaml    facts, never changed, and the decision
    $JOULEBOARD_HOME/catalog/models/<organisation>__<name>.yaml    catalog entry of an accepted model

A model is proposed only once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, ValidationError

from benchmark_tasks.catalog import Asking, Catalog, Deployment, HubWatch, Model, records
from benchmark_tasks.catalog.fields import Commit, HubId
from benchmark_tasks.catalog.reading import read
from benchmark_tasks.errors import HubRefused, ProposalError, first_problem
from benchmark_tasks.releases import revisions
from benchmark_tasks.releases.facts import Fact, Facts, facts_of
from benchmark_tasks.releases.hub import Hub, ListedModel
from benchmark_tasks.results.record import Record
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import DEFAULT_RUNTIME

NEEDED = (
    "nickname",
    "organisation",
    "family",
    "architecture",
    "modality",
    "total_params_billions",
    "activated_params_billions",
    "weight_precision",
)
"""Facts that a catalog entry needs; a person may add those that are not known."""

POLICY = "the policy (catalog/data/watch.yaml: asks: nobody)"


class State(StrEnum):
    """State of a proposal."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Decision(Record):
    """A person's decision. `given`: facts that the person added, because the hub does not have them."""

    state: Literal[State.ACCEPTED, State.REJECTED]
    by: str
    why: str | None = None
    decided_at: datetime
    given: dict[str, JsonValue] = {}


class Proposal(Record):
    """A model at one revision, what is known of it, and what was decided.

    content: hash of its files (`hub.Repository.content`). hub: address of the hub.
    context_tokens: longest request that its server must be able to serve.
    """

    schema_version: Literal[1] = 1
    model_id: HubId
    revision: Commit
    content: str
    hub: str
    proposed_at: datetime
    context_tokens: int
    facts: dict[str, Fact]
    decision: Decision | None = None

    @property
    def state(self) -> State:
        """Proposed until somebody decides."""
        return self.decision.state if self.decision else State.PROPOSED

    @property
    def missing(self) -> tuple[str, ...]:
        """The facts that are missing before it can be accepted."""
        lacking = [name for name in NEEDED if self.facts[name].value is None]
        return (*lacking, *(() if self._deployments() else ("deployments",)))

    def entry(self, given: Mapping[str, JsonValue]) -> Model:
        """Its catalog entry, with what a person adds.

        Raises:
            ProposalError: a fact is missing, or an added fact is not needed or not valid.
        """
        if unknown := sorted(given.keys() - set(NEEDED)):
            raise ProposalError(f"{', '.join(unknown)}: cannot be set; these can: {', '.join(NEEDED)}")
        if lacking := [name for name in self.missing if name not in given]:
            raise ProposalError(f"{self.model_id}: not known: {_with_sources(self.facts, lacking)}")
        context = self.facts["max_context_tokens"].value
        server = {"max_model_len": min(self.context_tokens, context)} if isinstance(context, int) else {}
        known = {name: self.facts[name].value for name in NEEDED}
        try:
            return Model.model_validate(
                {
                    "model_id": self.model_id,
                    **known,
                    **given,
                    "runtime": DEFAULT_RUNTIME,
                    "revision": self.revision,
                    "server": server,
                    "tasks": {task: {"deployments": places} for task, places in self._deployments().items()},
                }
            )
        except ValidationError as error:
            raise ProposalError(f"{self.model_id}: {first_problem(error, 'the entry')}") from error

    def _deployments(self) -> dict[str, list[Deployment]]:
        by_task: Any = self.facts["deployments"].value
        placed = {
            task: [
                Deployment.model_validate({"gpu_model": gpu_model, **place})
                for gpu_model, place in places.items()
                if place is not None
            ]
            for task, places in (by_task if isinstance(by_task, dict) else {}).items()
        }
        return {task: deployments for task, deployments in placed.items() if deployments}


def new_models(
    hub: Hub, catalog: Catalog, policy: HubWatch, settings: Settings
) -> tuple[list[ListedModel], list[str]]:
    """Models that the policy asks for and nobody has decided on, and one line per model that is left out.

    Models that are proposed already are included: the caller starts one proposal per model.

    Raises:
        IndexUnreachable: the hub did not answer.
    """
    wanted: dict[str, ListedModel] = {}
    lines: list[str] = []
    known = {model_id.lower() for model_id in catalog.models}
    for organisation in policy.organisations:
        for tag in policy.tasks:
            listed, unreadable = hub.models(organisation, tag)
            lines += unreadable
            for model in listed:
                if model.model_id.lower() in known or _is_history(model, policy):
                    continue
                reason = _left_out(model, policy) or _decided(model.model_id, settings)
                if reason is None:
                    wanted[model.model_id] = model
                else:
                    lines.append(f"{model.model_id}: skipped, {reason}")
    return list(wanted.values()), lines


def propose(model_id: str, hub: Hub, catalog: Catalog, policy: HubWatch, settings: Settings) -> Proposal:
    """The proposal of a model: the existing one, or a new one from what the hub says now.

    Raises:
        IndexUnreachable: the hub did not answer; nothing was written.
        HubRefused: the model is gated, is not a model that a server can load, or is outside the policy.
        DiskFull
    """
    path = path_of(model_id, settings)
    if path.exists():
        return find(model_id, settings)
    repository = hub.repository(model_id)
    model_id = repository.model.model_id
    facts = facts_of(repository, hub, catalog, policy)
    total = facts["total_params_billions"].value
    if reason := _wrong_size(total if isinstance(total, float) else None, policy):
        raise HubRefused(f"{model_id}: not proposed, {reason}")
    proposal = Proposal(
        model_id=model_id,
        revision=repository.model.revision,
        content=repository.content,
        hub=hub.shown,
        proposed_at=datetime.now(UTC),
        context_tokens=policy.context_tokens,
        facts=facts,
    )
    records.create(path_of(model_id, settings), proposal)
    return find(model_id, settings)


def path_of(model_id: str, settings: Settings) -> Path:
    """The file of a model's proposal.

    Raises:
        ProposalError: not the name of a model.
    """
    if not _is_hub_id(model_id):
        raise ProposalError(f"{model_id!a} is not the name of a model on a hub (organisation/name)")
    return records.file_of(settings.proposals, model_id, "--")


def find(model_id: str, settings: Settings) -> Proposal:
    """A model's proposal.

    Raises:
        ProposalError: there is none.
        CatalogError: its file is damaged; names line and field.
    """
    path = path_of(model_id, settings)
    if not path.exists():
        raise ProposalError(f"no proposal for {model_id}; `jouleboard proposals list` shows all proposals")
    return read(path, Proposal)


def everything(settings: Settings) -> list[Proposal]:
    """Every proposal, in order of their models.

    Raises:
        CatalogError: a file is damaged; names line and field.
    """
    return [read(path, Proposal) for path in sorted(settings.proposals.glob("[!.]*.yaml"))]


def accept(
    model_id: str,
    settings: Settings,
    *,
    by: str,
    why: str | None = None,
    given: Mapping[str, JsonValue] | None = None,
) -> Model:
    """Add a proposed or rejected model to the catalog; its first benchmark is then due.

    Raises:
        ProposalError: there is no such proposal, it is accepted already, or it lacks something.
        DiskFull
    """
    with records.one_writer(settings.proposals):
        proposal = find(model_id, settings)
        if proposal.decision is not None and proposal.state is State.ACCEPTED:
            raise ProposalError(f"{proposal.model_id} was accepted by {proposal.decision.by} already")
        model = proposal.entry(given or {})
        # First the revision: a watch between the two steps would take it for an old one. The decision comes
        # last: if the process ends before it, accepting again repeats all steps.
        revisions.begin(model.model_id, proposal.revision, proposal.content, settings, measured=True)
        records.write(records.file_of(settings.catalog / "models", model.model_id), model, compact=True)
        _decide(proposal, State.ACCEPTED, by, why, dict(given or {}), settings)
    return model


def reject(model_id: str, settings: Settings, *, by: str, why: str | None = None) -> None:
    """Reject a proposed model; nobody is asked about it again.

    Raises:
        ProposalError: there is no such proposal, or it is accepted already.
        DiskFull
    """
    with records.one_writer(settings.proposals):
        proposal = find(model_id, settings)
        if proposal.state is State.ACCEPTED:
            entry = records.file_of(settings.catalog / "models", proposal.model_id)
            raise ProposalError(f"{proposal.model_id} is accepted: to stop measuring it, remove {entry}")
        _decide(proposal, State.REJECTED, by, why, {}, settings)


def asks_a_person(proposal: Proposal, policy: HubWatch) -> bool:
    """Whether a person decides: by the policy, or because facts are missing."""
    return policy.asks is Asking.PERSON or bool(proposal.missing)


def question(proposal: Proposal) -> dict[str, str]:
    """What a person is asked: one line, and Markdown with every fact."""
    rows = "\n".join(f"| {name} | {shown(fact)} | {fact.source} |" for name, fact in proposal.facts.items())
    return {
        "subject": f"Measure this new model? {proposal.model_id}",
        "body": f"[{proposal.model_id}]({proposal.hub}/{proposal.model_id}) at `{proposal.revision[:12]}`\n\n"
        f"| fact | value | source |\n|---|---|---|\n{rows}\n\n"
        "**Approve** adds it to the catalog of this installation and starts its benchmark. "
        "**Reject** leaves it out; nobody is asked again. "
        "Without an answer it stays proposed: see `jouleboard proposals`.",
    }


def shown(fact: Fact) -> str:
    """A fact's value in one line."""
    match fact.value:
        case None:
            return "not known"
        case dict() as by_task:
            return "; ".join(f"{task} on {_places(places)}" for task, places in by_task.items()) or "none"
        case float() | int() | str() as value:
            return str(value)
        case other:
            return repr(other)


def not_known(proposal: Proposal) -> str:
    """What is missing, with the reasons, in one line."""
    return _with_sources(proposal.facts, proposal.missing)


def _places(places: Any) -> str:
    fitting = {gpu: place for gpu, place in places.items() if place}
    each = [f"{p['num_gpus']}x {gpu} (batch to {p['batch_sizes'][-1]})" for gpu, p in fitting.items()]
    return ", ".join(each) or "no GPU"


def _with_sources(facts: Facts, names: Iterable[str]) -> str:
    return "; ".join(f"{name} ({facts[name].source})" for name in names)


def _decide(
    proposal: Proposal,
    state: Literal[State.ACCEPTED, State.REJECTED],
    by: str,
    why: str | None,
    given: dict[str, JsonValue],
    settings: Settings,
) -> None:
    decision = Decision(state=state, by=by, why=why, decided_at=datetime.now(UTC), given=given)
    records.write(path_of(proposal.model_id, settings), proposal.model_copy(update={"decision": decision}))


def _is_hub_id(model_id: str) -> bool:
    class Named(Record):
        model_id: HubId

    try:
        Named(model_id=model_id)
    except ValidationError:
        return False
    return ".." not in model_id and "--" not in model_id


def _is_history(model: ListedModel, policy: HubWatch) -> bool:
    return model.created_at is not None and model.created_at.date() < policy.since


def _decided(model_id: str, settings: Settings) -> str | None:
    path = path_of(model_id, settings)
    decision = read(path, Proposal).decision if path.exists() else None
    return f"{decision.state} by {decision.by}" if decision else None


def _left_out(model: ListedModel, policy: HubWatch) -> str | None:
    """Why the policy leaves a model out; None if it does not, as far as the list says."""
    if not _is_hub_id(model.model_id):
        return "not a valid name on a hub"
    if not model.available:
        return "private or disabled"
    if model.created_at is None:
        return "the hub does not say how old it is"
    if unwanted := sorted(set(policy.skipped_tags) & {tag.lower() for tag in model.tags}):
        return f"tagged {unwanted[0]}"
    if model.architectures and model.architectures[0] not in policy.families:
        return f"architecture {model.architectures[0]!a} is not in watch.yaml"
    return _wrong_size(None if model.total_params is None else model.total_params / 1e9, policy)


def _wrong_size(total_params_billions: float | None, policy: HubWatch) -> str | None:
    smallest, largest = policy.minimum_params_billions, policy.maximum_params_billions
    if total_params_billions is None or smallest <= total_params_billions <= largest:
        return None
    return f"{total_params_billions:g} billion parameters are outside {smallest:g} to {largest:g}"
