"""`jouleboard backup | restore | housekeeping`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from benchmark_tasks.errors import BackupError
from jouleboard_airflow.platform.installation import Installation

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Where = Annotated[
    str,
    typer.Argument(metavar="FILE|URL", help="A file, or a folder or object store that holds many backups."),
]
At = Annotated[str | None, typer.Option(metavar="BACKUP", help="Beginning of its name; default: the newest.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command()
def backup(
    where: Where,
    check: Annotated[bool, typer.Option("--verify", help="Make none: read one and compare hashes.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Make none: list those that are there.")] = False,
    at: At = None,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Leave out Airflow's keys and login.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Back up this installation, also while it works; a folder or object store gets only what is new."""
    from jouleboard_airflow.upkeep import make_backup, targets

    if listing:
        with targets.reading(where) as target:
            names = [name.removesuffix(".json") for name in target.snapshots()]
        typer.echo(json.dumps(names) if as_json else "\n".join(names) or "no backup yet")
        return
    if check:
        _print_verified(where, at, as_json)
        return
    result = make_backup(
        Installation.from_environment(), where, with_secrets=not without_secrets, say=_progress
    )
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        typer.echo(
            f"backed up {result.files:,} files, {megabytes(result.bytes)}, as {result.name} in {where}"
        )
        typer.echo(f"new: {result.sent_files:,} files, {megabytes(result.sent_bytes)}")
        typer.echo(f"Airflow's history: {result.history}")
        typer.echo(_secrets_line(result.has_secrets))
    if result.unread:
        raise BackupError(
            f"{len(result.unread)} files could not be read and are not in the backup: {result.unread[0]}"
        )


@app.command()
def restore(
    where: Where,
    at: At = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put aside what JOULEBOARD_HOME holds; it is not removed.")
    ] = False,
) -> None:
    """Restore a backup into an empty JOULEBOARD_HOME. Every file is verified before anything is changed."""
    from jouleboard_airflow.upkeep import put_back

    result = put_back(Installation.from_environment(), where, chosen=at, replace=replace, say=_progress)
    listed = result.restored
    size = megabytes(listed.total_bytes)
    typer.echo(f"restored {len(listed.files):,} files, {size}, of {listed.made_at:%F %T} UTC")
    typer.echo(f"Airflow's history: {result.history}")
    if not listed.has_secrets:
        typer.echo("no keys and login in it: `make up` makes new ones")
    for path in result.aside:
        typer.echo(f"what was there before lies in {path}")
    if listed.cold:
        typer.echo(f"the large files of old runs lie in the cold storage {listed.cold}")
    for name, value in listed.settings.items():
        typer.echo(f"it was made with {name}={value}")


@app.command()
def housekeeping(
    apply: Annotated[
        bool, typer.Option("--apply", help="Free it; without this, nothing is changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what can be freed, by the policy in housekeeping.yaml. Nothing published or judged is ever lost."""
    from jouleboard_airflow.upkeep import tidy

    rows = tidy(Installation.from_environment(), apply=apply, say=_progress)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    verb = "freed" if apply else "could be freed"
    typer.echo(f"{'':20}{'in all':>14}{verb:>18}")
    for row in rows:
        count = row.freed_bytes if apply else row.removable_bytes
        line = f"{row.kind:20}{megabytes(row.total_bytes):>14}{megabytes(count):>18}"
        typer.echo(f"{line}  {row.note or (f'{row.removable} things' if row.removable else '')}".rstrip())
    if not apply and any(row.removable for row in rows):
        typer.echo("nothing was changed; `jouleboard housekeeping --apply` frees it")


def megabytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e6:,.1f} MB"


def _print_verified(where: str, at: str | None, as_json: bool) -> None:
    from jouleboard_airflow.upkeep import verify

    listed = verify(where, at)
    if as_json:
        typer.echo(json.dumps({"files": len(listed.files), "bytes": listed.total_bytes, "name": listed.name}))
    else:
        typer.echo(f"{listed.name.removesuffix('.json')}: {len(listed.files):,} files as they were backed up")


def _secrets_line(has_secrets: bool) -> str:
    if has_secrets:
        return "it holds Airflow's keys and login: keep it as safe as the home (docs/security.md)"
    return "it holds no keys and no login"


def _progress(line: str) -> None:
    typer.echo(line, err=True)
