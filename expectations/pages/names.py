"""Names as readers know them."""

from __future__ import annotations

from functools import cache

from benchmark_tasks.errors import CatalogError


@cache
def runtime_title(name: str) -> str:
    """A runtime as it writes its own name; one that this installation does not know as it is given."""
    from benchmark_tasks.runtimes.kinds import kind_of

    try:
        return kind_of(name).title
    except CatalogError:
        return name
