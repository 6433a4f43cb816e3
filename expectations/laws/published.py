"""The laws of a publication, read from the rows of its mart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from expectations.laws.law import Fit, Law, Point, Range, Term, encloses

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PublishedLaw:
    """The law to use of a family, with what it is of and how far it misses points that it has not seen.

    terms: its rows of `best.sql`, one per term, in the order of `Term`.
    """

    fit: Fit
    reach: Range
    terms: tuple[Row, ...]

    @property
    def of(self) -> Row:
        """A row with what all terms share: keys, errors, points."""
        return self.terms[0]

    @property
    def points(self) -> tuple[Point, ...]:
        """What it was fitted to."""
        return tuple(Point(**point) for point in self.of["fitted_points"])

    def covers(self, point: Point) -> bool:
        """Whether the law says something of a point: the points that it was fitted to enclose it."""
        return encloses(self.points, point)

    @property
    def covers_in_words(self) -> str:
        """What `covers` means, for people: after `nothing beyond`."""
        return f"{self.reach.in_words}, or where its points do not enclose what is asked for"


def best_laws(rows: Iterable[Row]) -> dict[str, PublishedLaw]:
    """The law to use of each family, by `family_id`, from rows of `best.sql`."""
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
