"""`jouleboard releases`: what the package index offers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from benchmark_tasks.cli.inputs import installed_catalog
from benchmark_tasks.cli.options import Json
from benchmark_tasks.cli.output import print_rows
from benchmark_tasks.settings import Settings


def releases(
    project: Annotated[str | None, typer.Argument(help="Default: every watched project.")] = None,
    floor: Annotated[str | None, typer.Option(help="Oldest release to list; default: the catalog's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also releases below the floor.")] = False,
    as_json: Json = False,
) -> None:
    """List the releases on the package index.

    Yanked releases, pre-releases and those that cannot be installed here yet are marked.
    """
    from benchmark_tasks.releases.index import list_releases

    settings = Settings.from_environment()
    rows = [
        release.model_dump(mode="json")
        for name, lowest in _projects(project, floor).items()
        for release in list_releases(name, settings, floor=None if everything else lowest)
    ]
    print_rows(rows, as_json, lambda row: (row["project"], row["version"], row["uploaded_at"], _marks(row)))


def _projects(project: str | None, floor: str | None) -> dict[str, str | None]:
    """Projects to list, each with its floor or the one asked for; one that is not watched has none."""
    watched: dict[str, str | None] = {
        entry.project: entry.floor for entry in installed_catalog().watch.projects
    }
    chosen = watched if project is None else {project: watched.get(project)}
    return chosen if floor is None else dict.fromkeys(chosen, floor)


def _marks(row: dict[str, Any]) -> str:
    marks = [mark for mark in ("yanked", "prerelease") if row[mark]]
    return ", ".join(marks + ([f"not yet: {row['not_yet']}"] if row["not_yet"] else []))
