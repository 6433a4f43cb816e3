"""`jouleboard keys ...`: the key that signs, and the registry of keys that are trusted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmark_tasks.cli.options import Json
from benchmark_tasks.cli.output import print_rows
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, key_id, new_key, signer_of

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Name = Annotated[str, typer.Argument(help="Name of the key: of the host, or of the contributor.")]
Kind = Annotated[KeyKind, typer.Option(help="Whose key it is.")]


@app.callback()
def _group() -> None:
    """Keys that sign bundles and publications, and whose signatures are trusted."""


@app.command("new")
def new(name: Name, kind: Kind = KeyKind.HOST) -> None:
    """Make this installation's key. From now on it signs what is measured and published here."""
    settings = Settings.from_environment()
    registry = Registry.read(settings)
    registry.trust(name, kind, _PROBE)  # the name is tried before there is a key
    public_key = new_key(settings).public_key
    registry.trust(name, kind, public_key).write(settings)
    typer.echo(f"the private key is {settings.signing_key}; it is in no backup. Elsewhere trust it with:")
    typer.echo(f"jouleboard keys trust {name} {public_key} --kind {kind}")


_PROBE = "ed25519:" + "A" * 43 + "="


@app.command("list")
def show(as_json: Json = False) -> None:
    """List the keys of the registry; `*` marks the one that signs here."""
    settings = Settings.from_environment()
    registry, signer = Registry.read(settings), signer_of(settings)
    own = signer and signer.public_key
    rows = [
        {**key.model_dump(mode="json"), "id": key.id, "signs_here": key.public_key == own}
        for key in registry.keys
    ]
    print_rows(
        rows,
        as_json,
        lambda row: (
            "*" if row["signs_here"] else "",
            row["name"],
            row["kind"],
            row["id"],
            f"revoked {row['revoked_at'][:10]}: {row['why']}" if row["revoked_at"] else "trusted",
        ),
    )
    if as_json:
        return
    if own and registry.find(own) is None:
        typer.echo(f"the key that signs here ({key_id(own)}) is not in the registry")
    if registry.required_from:
        typer.echo(f"signatures are required from {registry.required_from:%F %R %Z} on")
    elif not rows:
        typer.echo("no keys yet; `jouleboard keys new NAME` makes one")


@app.command("trust")
def trust(
    name: Name,
    public_key: Annotated[str, typer.Argument(help="ed25519:..., as `jouleboard keys new` printed it.")],
    kind: Kind = KeyKind.HOST,
) -> None:
    """Trust somebody's public key. Ask its owner for it by a way that you trust."""
    settings = Settings.from_environment()
    Registry.read(settings).trust(name, kind, public_key).write(settings)
    typer.echo(f"trusted: {name} ({kind})")


@app.command("revoke")
def revoke(
    name: Name,
    why: Annotated[str, typer.Option(help="The reason; it is shown with everything that the key signed.")],
) -> None:
    """Trust a key no more: the next refresh sets aside all runs that it signed."""
    settings = Settings.from_environment()
    Registry.read(settings).revoke(name, why).write(settings)
    typer.echo(f"revoked: {name}; `jouleboard refresh` sets aside what it signed")


@app.command("require")
def require(
    since: Annotated[
        datetime | None,
        typer.Argument(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="UTC; default: now.", show_default=False),
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="Nothing must be signed.")] = False,
) -> None:
    """Require signatures of what is measured and published from a time on; what is older may be unsigned."""
    settings = Settings.from_environment()
    start = None if never else (since or datetime.now(UTC)).replace(tzinfo=UTC, microsecond=0)
    Registry.read(settings).model_copy(update={"required_from": start}).write(settings)
    typer.echo(f"signatures are required from {start:%F %R} UTC on" if start else "nothing must be signed")


@app.command("sign")
def sign(paths: Annotated[list[Path], typer.Argument(help="Bundles, or folders of bundles.")]) -> None:
    """Sign bundles with this installation's key, for example those of a host without `cryptography`."""
    from benchmark_tasks.cli.landing import bundles_in
    from benchmark_tasks.errors import SignatureError
    from benchmark_tasks.results import bundle
    from benchmark_tasks.signing import signed_by

    settings = Settings.from_environment()
    signer = signer_of(settings)
    if signer is None:
        raise SignatureError("there is no key here; `jouleboard keys new NAME` makes one")
    folders = bundles_in(paths)
    for folder in folders:
        bundle.verify(folder)
        if signed_by(folder) not in (None, signer.public_key):
            raise SignatureError(f"{folder}: signed with another key already; nothing was signed")
    for folder in folders:
        signer.sign(folder / bundle.CHECKSUMS_FILE)
    typer.echo(f"signed {len(folders)} bundles")
