"""Of a landed record, what planning reads: some 6 KiB in place of 80, so that 100,000 runs can be listed.

A short record is a `Run` that has these parts and no others: to read another one is an `AttributeError`. To
write it as JSON writes these parts only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

from benchmark_tasks.results.schema import Run

Part = TypeVar("Part", bound=BaseModel)

RUN = (
    "run_id",
    "status",
    "started_at",
    "finished_at",
    "campaign_id",
    "energy_source",
    "arrivals",
    "configuration",
    "comparability",
)
"""Whole parts; the others are shortened, too."""
WINDOW = ("settled", "start_seconds", "end_seconds", "output_tokens", "output_items")


class Shortener:
    """Shortens records; parts that are equal in several of them are kept once."""

    def __init__(self) -> None:
        self._once: dict[Hashable, Any] = {}

    def short(self, run: Run) -> Run:
        """The parts of a record that planning reads."""
        values = {name: getattr(run, name) for name in RUN}
        for name in ("configuration", "comparability"):
            values[name] = self._the_same(values[name].model_dump_json(), values[name])
        gpus = tuple(_only(gpu, {"uuid": gpu.uuid}) for gpu in run.provenance.gpus)
        uuids = tuple(gpu.uuid for gpu in gpus)
        provenance = self._the_same(uuids, _only(run.provenance, {"gpus": gpus}))
        return _only(
            run,
            {
                **values,
                "provenance": provenance,
                "requests": _parts(run.requests, ["mean_output_tokens"]),
                "phases": tuple(_only(phase, {"seconds": phase.seconds}) for phase in run.phases),
                "window_steady": _window(run),
            },
        )

    def _the_same(self, key: Hashable, part: Part) -> Part:
        kept: Part = self._once.setdefault((type(part), key), part)
        return kept


def _window(run: Run) -> Any:
    window = run.window_steady
    if window is None:
        return None
    values = {name: getattr(window, name) for name in WINDOW}
    return _only(window, {**values, "energy": _parts(window.energy, ["counter_joules"])})


def _parts(record: BaseModel | None, names: Iterable[str]) -> Any:
    return None if record is None else _only(record, {name: getattr(record, name) for name in names})


def _only(record: Part, values: dict[str, Any]) -> Part:
    """A record of the same kind that has these values, and no others, not even by default."""
    short = type(record).model_construct()
    vars(short).clear()
    vars(short).update(values)
    return short
