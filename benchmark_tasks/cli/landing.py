"""`jouleboard land`: bundles that were measured elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from benchmark_tasks.cli.options import Json
from benchmark_tasks.cli.output import print_rows, say
from benchmark_tasks.settings import Settings


def land(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Bundles, or folders that contain bundles; with --contributor also files."),
    ] = None,
    contributor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What this contributor measured, signed and packed with `jouleboard contribute`.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy bundles measured elsewhere into the landing zone. Landing a bundle twice changes nothing.

    Bundles that wait here because the object store did not answer are sent, too. Without PATHS, only these
    are sent.

    With --contributor the bundles must be signed with that contributor's key, and the gate checks them before
    they land: copies, replays, other people's runs, impossible hardware. If one is refused, none of its file
    lands; each fault is one line. Their rows have the tier `contributed`, until we reproduce them.
    """
    from benchmark_tasks.errors import BundleError, SignatureError
    from benchmark_tasks.results.store import Store
    from benchmark_tasks.signing import KeyKind, Registry, signed_by

    settings = Settings.from_environment()
    if contributor is not None:
        _land_contribution(paths or [], contributor, settings, as_json)
        return
    store, registry = Store.of(settings), Registry.read(settings)
    rows, broken = [], []
    for path in bundles_in(paths or []):
        try:
            key = registry.find(signed_by(path) or "")
            if key is not None and key.kind is KeyKind.CONTRIBUTOR:
                raise BundleError(f"{path}: measured by {key.name}: land it with --contributor {key.name}")
            rows.append({"status": "landed", "path": str(store.land_copy(path))})
        except (BundleError, SignatureError) as error:
            broken.append(error)
    store.send()
    print_rows(rows, as_json, lambda row: (row["status"], row["path"]))
    if broken:
        raise BundleError(f"{len(broken)} of {len(broken) + len(rows)} not landed: {broken[0]}")


def _land_contribution(paths: list[Path], contributor: str, settings: Settings, as_json: bool) -> None:
    from benchmark_tasks.errors import ContributionRefused, JouleboardError

    try:
        contributions = importlib.import_module("expectations.contributions")
    except ModuleNotFoundError as error:
        raise JouleboardError(
            f"--contributor needs {error.name}: install the control plane (pip install jouleboard)"
        ) from error
    if not paths:
        raise ContributionRefused("name the file that the contributor packed")
    for path in paths:
        try:
            taken = contributions.take(path, contributor, settings)
        except ContributionRefused as error:
            for fault in error.faults:
                say(fault)
            raise
        rows = [{"status": "landed", "run_id": run_id} for run_id in taken.landed]
        rows += [{"status": "there already", "run_id": run_id} for run_id in taken.known]
        print_rows(rows, as_json, lambda row: (row["status"], row["run_id"]))


def bundles_in(paths: Iterable[Path]) -> list[Path]:
    """The bundles among these paths, and all bundles below the folders among them."""
    from benchmark_tasks.errors import BundleError
    from benchmark_tasks.results.bundle import CHECKSUMS_FILE, RUN_FILE

    bundles: list[Path] = []
    for path in paths:
        marked = {file.parent for name in (RUN_FILE, CHECKSUMS_FILE) for file in path.rglob(name)}
        if not marked:
            raise BundleError(f"{path}: no bundle here (a folder with {RUN_FILE} and {CHECKSUMS_FILE})")
        bundles += sorted(marked)
    return bundles
