"""The laws of a publication, read from the rows of its mart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from expectations.laws.law import Fit, Law, Range, Term

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PublishedLaw:
    """The law to use of a family, with what it is of and how far it misses points that it has not seen.

    terms: its rows of `diffusion_energy_law`, one per term, in the order of `Term`.
    """

    fit: Fit
    reach: Range
    terms: tuple[Row, ...]

    @property
    def of(self) -> Row:
        """A row with what all terms share: keys, errors, points."""
        return self.terms[0]


def best_laws(rows: Iterable[Row]) -> dict[str, PublishedLaw]:
    """The law to use of each family, by `family_id`, from rows of `diffusion_energy_law`."""
    best = sorted((row for row in rows if row["is_best"]), key=lambda row: str(row["family_id"]))
    return {family_id: _law(terms) for family_id, terms in groupby(best, key=lambda row: row["family_id"])}


def _law(rows: Iterable[Row]) -> PublishedLaw:
    order = list(Term)
    terms = tuple(sorted(rows, key=lambda row: order.index(Term(row["term"]))))
    of = terms[0]
    return PublishedLaw(
        Fit(Law(of["law"]), {Term(row["term"]): row["term_value"] for row in terms}),
        Range.read(of),
        terms,
    )
