"""`jouleboard land`: bundles that were measured elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from benchmark_tasks.cli.options import Json
from benchmark_tasks.cli.output import print_rows
from benchmark_tasks.settings import Settings


def land(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Bundles, or folders that contain bundles.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy bundles measured elsewhere into the landing zone. Landing a bundle twice changes nothing.

    Bundles that wait here because the object store did not answer are sent, too. Without PATHS, only these
    are sent.
    """
    from benchmark_tasks.errors import BundleError
    from benchmark_tasks.results.store import Store

    store = Store.of(Settings.from_environment())
    rows, broken = [], []
    for path in bundles_in(paths or []):
        try:
            rows.append({"status": "landed", "path": str(store.land_copy(path))})
        except BundleError as error:
            broken.append(error)
    store.send()
    print_rows(rows, as_json, lambda row: (row["status"], row["path"]))
    if broken:
        raise BundleError(f"{len(broken)} of {len(broken) + len(rows)} not landed: {broken[0]}")


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
