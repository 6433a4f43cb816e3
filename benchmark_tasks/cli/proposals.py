"""`jouleboard proposals ...`: mounted by the command as the sub-command `proposals`."""

from __future__ import annotations

import getpass
import json
from typing import Annotated

import typer
import yaml
from pydantic import JsonValue

from benchmark_tasks.catalog import Catalog, HubWatch, load
from benchmark_tasks.errors import JouleboardError, ProposalError
from benchmark_tasks.releases import proposals
from benchmark_tasks.settings import Settings

app = typer.Typer(help="New models on the hub.", no_args_is_help=True)

ModelId = Annotated[str, typer.Argument(metavar="MODEL", help="organisation/name")]
Why = Annotated[str | None, typer.Option(help="Reason, kept with the decision.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """New models on the hub: found, shown with what is known of them, accepted or rejected."""


@app.command("find")
def find(
    model: Annotated[
        str | None, typer.Argument(help="Only this model, even if the policy leaves it out.")
    ] = None,
) -> None:
    """Ask the hub for new models, and propose those that watch.yaml asks for. Proposals are never changed."""
    from benchmark_tasks.releases.hub import Hub

    settings = Settings.from_environment()
    catalog = load(overlay=settings.catalog)
    policy = _policy(catalog)
    hub = Hub(settings)
    if model is not None:
        typer.echo(_line(proposals.propose(model, hub, catalog, policy, settings)))
        return
    wanted, left_out = proposals.new_models(hub, catalog, policy, settings)
    for line in left_out:
        typer.echo(line, err=True)
    failed: list[JouleboardError] = []
    for listed in wanted:
        try:
            typer.echo(_line(proposals.propose(listed.model_id, hub, catalog, policy, settings)))
        except JouleboardError as error:
            failed.append(error)
    if not wanted:
        typer.echo("no new models", err=True)
    if failed:
        raise type(failed[0])(f"{len(failed)} of {len(wanted)} not proposed: {failed[0]}")


@app.command("list")
def list_proposals(
    state: Annotated[proposals.State | None, typer.Option(help="Only those in this state.")] = None,
    as_json: Json = False,
) -> None:
    """List the proposals and what was decided on them."""
    everything = proposals.everything(Settings.from_environment())
    listed = [proposal for proposal in everything if state in (None, proposal.state)]
    if as_json:
        typer.echo(json.dumps([proposal.model_dump(mode="json") for proposal in listed]))
        return
    for proposal in listed:
        typer.echo(_line(proposal))


@app.command("show")
def show(model: ModelId, as_json: Json = False) -> None:
    """Show one proposal: every fact with its source."""
    proposal = proposals.find(model, Settings.from_environment())
    if as_json:
        typer.echo(proposal.model_dump_json())
        return
    typer.echo(_line(proposal))
    for name, fact in proposal.facts.items():
        typer.echo(f"  {name:24} {proposals.shown(fact)}   [{fact.source}]")
    if proposal.decision is not None and proposal.decision.given:
        typer.echo(f"  set by {proposal.decision.by}: {json.dumps(proposal.decision.given)}")


@app.command("accept")
def accept(
    model: ModelId,
    facts: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A fact that is not known, or wrong (repeatable)."),
    ] = None,
    why: Why = None,
) -> None:
    """Add a proposed model to this installation's catalog; the next watch starts its benchmark."""
    settings = Settings.from_environment()
    accepted = proposals.accept(model, settings, by=getpass.getuser(), why=why, given=_facts(facts or []))
    typer.echo(f"{accepted.model_id} is in the catalog ({settings.catalog}/models)")


@app.command("reject")
def reject(model: ModelId, why: Why = None) -> None:
    """Reject a proposed model. Nobody is asked about it again."""
    proposals.reject(model, Settings.from_environment(), by=getpass.getuser(), why=why)
    typer.echo(f"{model} is rejected")


def _policy(catalog: Catalog) -> HubWatch:
    if catalog.watch.hub is None:
        raise ProposalError("catalog/data/watch.yaml has no `hub`: no new models are looked for")
    return catalog.watch.hub


def _line(proposal: proposals.Proposal) -> str:
    parts = [proposal.state.value, proposal.model_id, proposal.revision[:12]]
    if proposal.decision is not None:
        parts.append(
            f"by {proposal.decision.by}" + (f": {proposal.decision.why}" if proposal.decision.why else "")
        )
    elif proposal.missing:
        parts.append(f"not known: {', '.join(proposal.missing)}")
    return "  ".join(parts)


def _facts(pairs: list[str]) -> dict[str, JsonValue]:
    """`total_params_billions=8.2` as a fact; values are YAML."""
    facts: dict[str, JsonValue] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            raise ProposalError(f"--set {pair}: give NAME=VALUE")
        try:
            facts[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ProposalError(f"--set {pair}: {text!r} is not a value") from None
    return facts
