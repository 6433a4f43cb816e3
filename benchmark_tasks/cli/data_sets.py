"""`jouleboard data-set`: copies of data sets, for machines that cannot reach the model hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark_tasks.cli.inputs import installed_catalog
from benchmark_tasks.settings import Settings


def data_set(
    name: Annotated[str, typer.Argument(help="A data set of the catalog's tasks, e.g. lm-arena.")],
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to. Set JOULEBOARD_DATA_SETS to it on the other machine.")
    ],
) -> None:
    """Copy a data set from the model hub, for a machine that cannot reach the hub."""
    from benchmark_tasks.workloads.catalog_sets import data_set_named
    from benchmark_tasks.workloads.data_sets import rows_of, save

    copied = rows_of(name, data_set_named(name, installed_catalog().tasks), Settings.from_environment())
    print(f"{len(copied.rows)} rows at {copied.revision} in {save(name, copied, folder)}")
