"""A row's figures, worked out again from the bundles of its runs and compared with what is published.

Neither dbt nor the gate takes part. Of the publication only two things are used: which runs were accepted,
and the figures to compare with. Which of them are repeats of the row follows from their own records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmark_tasks.errors import BundleError, JouleboardError, LandingZoneUnreachable
from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.identity import IDENTITY_KEYS
from benchmark_tasks.results.schema import Run
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from expectations.rows.bundles import Figures, counts, figures_of
from expectations.rows.imported import Imported
from expectations.rows.row import Row

_SUM = 1e-9
"""Relative: what floating-point sums in another order may differ by."""
_TABLE = 1e-6
"""Relative: `t_quantiles` has six decimals."""
_MOST_DEGREES = 200
"""The last row of `t_quantiles`; beyond it the quantile stays as it is there."""


@dataclass(frozen=True)
class Figure:
    """One column of a row: as published, and worked out again. Numbers, or the ids of its runs."""

    column: str
    published: Any
    recomputed: Any

    @property
    def equal(self) -> bool:
        """Whether they differ by no more than rounding."""
        if self.published is None or self.recomputed is None or isinstance(self.published, str):
            return bool(self.published == self.recomputed)
        apart = abs(self.published - self.recomputed)
        largest = max(abs(self.published), abs(self.recomputed))
        return bool(apart <= (_TABLE if self.column in _OF_INTERVAL else _SUM) * largest)

    @property
    def texts(self) -> tuple[str, str]:
        """Both, for people."""
        return _shown(self.published), _shown(self.recomputed)

    def __str__(self) -> str:
        published, recomputed = self.texts
        return f"{self.column}: {published} published, {recomputed} recomputed"


_OF_INTERVAL = ("energy_per_output_low_joules", "energy_per_output_high_joules")


@dataclass(frozen=True)
class Recomputed:
    """What came of one row. problem: why it could not be worked out again; then there are no figures.

    source: what it was worked out from, for people.
    """

    row: Row
    source: str
    figures: tuple[Figure, ...] = ()
    problem: JouleboardError | None = None

    @property
    def different(self) -> tuple[Figure, ...]:
        """The figures that are not equal."""
        return tuple(figure for figure in self.figures if not figure.equal)

    @property
    def equal(self) -> bool:
        """Whether all figures are."""
        return self.problem is None and not self.different

    @property
    def what_differs(self) -> str:
        """In one line; empty if all figures are equal."""
        return f"not recomputed: {self.problem}" if self.problem else "; ".join(map(str, self.different))

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "leaderboard_id": self.row.id,
            "source": self.source,
            "equal": self.equal,
            "figures": [asdict(figure) | {"equal": figure.equal} for figure in self.figures],
            "problem": None if self.problem is None else str(self.problem),
        }


def recompute(rows: Sequence[Row], settings: Settings) -> Iterator[Recomputed]:
    """Work out each row again: from bundles, or for imported rows from the import."""
    bundles, imported = Bundles(settings), Imported(settings)
    for row in rows:
        try:
            if row.is_measured:
                yield _from_bundles(row, bundles)
            else:
                figures = imported.figures(row)
                compared = (Figure(name, row.columns[name], value) for name, value in figures.items())
                yield Recomputed(row, imported.source, tuple(compared))
        except JouleboardError as error:
            yield Recomputed(row, "", problem=error)


class Bundles:
    """The landed bundles of an installation; of a remote landing zone all are fetched if one is not here."""

    def __init__(self, settings: Settings) -> None:
        self._store = Store.of(settings)
        self._fetched = self._store.remote is None

    def folder(self, run_id: str) -> Path:
        """Where a run's bundle lies.

        Raises:
            BundleError: nowhere. LandingZoneUnreachable: the remote does not answer.
        """
        found = self._store.find(run_id)
        if found is None and not self._fetched:
            self._store.folders()  # fetches what is not here
            self._fetched = True
            found = self._store.find(run_id)
        if found is None:
            raise BundleError(
                f"run {run_id}: its bundle is not in {self._store.where}; `jouleboard land` it again from"
                " where it was measured"
            )
        return found


def _from_bundles(row: Row, bundles: Bundles) -> Recomputed:
    """From the accepted runs whose records have exactly the keys of the row."""
    members: dict[str, Figures] = {}
    for logged in row.runs:
        if not logged["is_accepted"]:
            continue
        run_id = logged["run_id"]
        try:
            folder = bundles.folder(run_id)
            run = bundle.read_record(folder)
        except (BundleError, LandingZoneUnreachable):
            if run_id in row.run_ids:
                raise
            continue  # of another row, which says so
        if counts(run) and _has_keys_of(row, run):
            with cold.whole(folder) as files:
                members[run_id] = figures_of(run, files)
    figures = [Figure("run_ids", ", ".join(sorted(row.run_ids)), ", ".join(sorted(members)))]
    figures += [
        Figure(name, row.columns[name], value)
        for name, value in _of_row(row, list(members.values())).items()
        if name in row.columns
    ]
    return Recomputed(row, "bundles", tuple(figures))


def _has_keys_of(row: Row, run: Run) -> bool:
    keys = run.configuration.model_dump(mode="json") | run.comparability.model_dump(mode="json")
    return all(keys[key] == row.columns[key] for key in IDENTITY_KEYS if key in row.columns)


def _of_row(row: Row, runs: Sequence[Figures]) -> Figures:
    """Means over the runs that have a figure, and the 95 % t interval of energy per output."""
    names = dict.fromkeys(name for figures in runs for name in figures)
    known = {name: [v for figures in runs if (v := figures.get(name)) is not None] for name in names}
    means: Figures = {name: float(np.mean(values)) if values else None for name, values in known.items()}
    energies = known.get("energy_per_output_joules", [])
    mean, spread, half = means.get("energy_per_output_joules"), None, None
    if len(energies) > 1:
        spread = float(np.std(energies, ddof=1))
        degrees = min(len(energies) - 1, _MOST_DEGREES)
        half = float(stats.t.ppf(0.975, degrees)) * spread / len(energies) ** 0.5
    watts = means.get("mean_power_watts")
    return {
        "repeats": len(runs),
        "energy_repeats": len(energies),
        **means,
        "energy_per_output_stddev_joules": spread,
        "energy_per_output_low_joules": None if mean is None or half is None else max(0.0, mean - half),
        "energy_per_output_high_joules": None if mean is None or half is None else mean + half,
        "mean_power_per_gpu_watts": None if watts is None else watts / (row.columns["num_gpus"] or np.nan),
    }


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
