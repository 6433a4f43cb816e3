"""Latency objectives that a person sets on an installation: one file each in its catalog."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from benchmark_tasks.catalog import records
from benchmark_tasks.catalog.objectives import Objective
from benchmark_tasks.errors import CatalogError, first_problem


def objective_of(
    name: str,
    *,
    ttft_percentile: int | None = None,
    ttft_ceiling_ms: float | None = None,
    itl_percentile: int | None = None,
    itl_ceiling_ms: float | None = None,
    source: str,
) -> Objective:
    """An objective as a person wrote it; a ceiling without a percentile is of the 99th. Ceilings: ms.

    Raises:
        CatalogError: names the field that cannot be so.
    """
    ceilings = {"ttft": (ttft_percentile, ttft_ceiling_ms), "itl": (itl_percentile, itl_ceiling_ms)}
    fields: dict[str, object] = {"objective": name, "source": source}
    for latency, (percentile, ceiling) in ceilings.items():
        usual = None if ceiling is None else 99
        fields |= {
            f"{latency}_percentile": usual if percentile is None else percentile,
            f"{latency}_ceiling_ms": ceiling,
        }
    try:
        return Objective.model_validate(fields)
    except ValidationError as error:
        raise CatalogError(f"latency objective {name!r}: {first_problem(error)}") from error


def keep(objective: Objective, overlay: Path) -> Path:
    """Write an objective to a catalog overlay; one of the same name is replaced. Returns its file.

    Raises:
        DiskFull: nothing was changed.
    """
    path = _file_of(objective.objective, overlay)
    records.write(path, objective, compact=True)
    return path


def remove(name: str, overlay: Path, known: dict[str, Objective]) -> None:
    """Take an objective of this installation away; a shipped one of that name counts again.

    known: the installation's own objectives.

    Raises:
        CatalogError: the installation has no such objective.
    """
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise CatalogError(f"this installation has no latency objective {name!r} of its own; it has: {names}")
    _file_of(name, overlay).unlink(missing_ok=True)


def _file_of(name: str, overlay: Path) -> Path:
    return overlay / "objectives" / f"{name}.yaml"
