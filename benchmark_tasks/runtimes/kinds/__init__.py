"""The runtimes that can be measured: one file each, named after the runtime, with a `RUNTIME` in it.

    kind_of("vllm").server.command(...)

A file that is put into this folder is a runtime: nothing else lists them.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from benchmark_tasks.errors import CatalogError
from benchmark_tasks.runtimes.installer import Distribution
from benchmark_tasks.runtimes.kinds.contract import (
    MOCK,
    Metric,
    OverEngines,
    Post,
    ProcessContract,
    RuntimeKind,
    ServerContract,
    Setup,
    SleepContract,
    SleepLevel,
    loads_from_hub,
)
from benchmark_tasks.vocabulary import RuntimeName

__all__ = [
    "MOCK",
    "Distribution",
    "Metric",
    "OverEngines",
    "Post",
    "ProcessContract",
    "RuntimeKind",
    "ServerContract",
    "Setup",
    "SleepContract",
    "SleepLevel",
    "all_kinds",
    "distributions",
    "kind_of",
    "loads_from_hub",
    "names",
]


def names() -> tuple[RuntimeName, ...]:
    """Names of all runtimes, in order; none of them is imported for that."""
    return tuple(
        sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "contract")
    )


def kind_of(name: RuntimeName) -> RuntimeKind:
    """The runtime of that name.

    Raises:
        CatalogError: there is none.
    """
    if name not in names():
        raise CatalogError(f"there is no runtime {name!r}: there are {', '.join(names())}")
    return _imported(name)


def all_kinds() -> tuple[RuntimeKind, ...]:
    """Every runtime, by name."""
    return tuple(kind_of(name) for name in names())


def distributions() -> dict[str, Distribution]:
    """The packages that provide any runtime, by name."""
    return {name: found for kind in all_kinds() for name, found in kind.distributions.items()}


@cache
def _imported(name: RuntimeName) -> RuntimeKind:
    kind = import_module(f"{__name__}.{name}").RUNTIME
    if not isinstance(kind, RuntimeKind) or kind.name != name:
        raise CatalogError(f"runtimes/kinds/{name}.py must define RUNTIME, a RuntimeKind named {name!r}")
    return kind
