"""One impossible field of a form, the error that names them all, and the words of their messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from benchmark_tasks.errors import SettingsError, one_line
from jouleboard_airflow.gpu_hosts import GpuHosts
from jouleboard_airflow.offers import WITHOUT_GPU
from jouleboard_airflow.tasks.choices.fields import TITLES

_NAMED = 6
"""How many possible choices a message names."""


@dataclass(frozen=True)
class Misfit:
    """A field with an impossible value. why: one clause. fits: what to do or to choose instead."""

    field: str
    why: str
    fits: str

    def __str__(self) -> str:
        return one_line(f"{TITLES.get(self.field, self.field)}: {self.why}; {self.fits}")


class Impossible(SettingsError):
    """A form asks for something that cannot be done here; the message names each such field."""

    def __init__(self, misfits: Iterable[Misfit]) -> None:
        self.misfits = tuple(misfits)
        super().__init__(" | ".join(map(str, self.misfits)))


def require_possible(misfits: Iterable[Misfit]) -> None:
    """Check that there is no misfit.

    Raises:
        Impossible: there are some; one message names them all.
    """
    if found := tuple(misfits):
        raise Impossible(found)


def on(host: GpuHosts, number: int | None = None) -> str:
    """A host in a message, or this number of its GPUs."""
    if host is WITHOUT_GPU:
        return "a machine without a GPU"
    return f"a host with {host.gpus} {host.gpu_model}" if number is None else f"{number} x {host.gpu_model}"


def up_to(most: int) -> str:
    """Numbers to choose from."""
    return "choose 1" if most == 1 else f"choose 1 to {most}"


def any_of(choices: Collection[str]) -> str:
    """`a, b or c`; of many choices, the first ones and how many more there are."""
    names = [str(choice) for choice in choices]
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} or one of {len(names) - _NAMED} more"
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "nothing: there is none"


def shown(value: object) -> str:
    """A value of a form in a message: quoted, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
