"""All rows of a publication, worked out again from what they rest on."""

from __future__ import annotations

import logging
from collections.abc import Callable

from benchmark_tasks.errors import FiguresDiffer, JouleboardError, PublicationError
from benchmark_tasks.settings import Settings
from expectations.publications import Publication, open_publication
from expectations.rows.recompute import Recomputed, recompute
from expectations.rows.row import all_rows

log = logging.getLogger("jouleboard.rows")


def verify_rows(
    settings: Settings, publication: Publication, *, say: Callable[[str], None] = log.info
) -> str:
    """Work every row out again; returns what came of it in one line. say: called with a line per bad row.

    Raises:
        FiguresDiffer: of some row.
        PublicationError: some row could not be worked out again, and none differs.
        JouleboardError: the same, if all of them for one reason that may pass (cold storage does not answer).
    """
    with open_publication(publication) as connection:
        rows = all_rows(connection)
    equal = {True: 0, False: 0}
    differing: list[Recomputed] = []
    problems: list[Recomputed] = []
    for result in recompute(rows, settings):
        if result.equal:
            equal[result.row.is_measured] += 1
        else:
            say(f"{result.row.id} {result.row.name}: {result.what_differs}")
            (problems if result.problem else differing).append(result)
    counted = (
        f"publication {publication.number}: {equal[True]} rows equal to what their bundles give;"
        f" {equal[False]} imported rows, which have no bundles, equal to the import"
    )
    if differing:
        raise FiguresDiffer(f"{len(differing)} of {len(rows)} rows differ from their source; {counted}")
    if problems:
        kind = type(problems[0].problem) if problems[0].problem else JouleboardError
        same = all(isinstance(result.problem, kind) for result in problems)
        message = f"{len(problems)} of {len(rows)} rows could not be recomputed; {counted}"
        raise (kind if same else PublicationError)(message)
    return counted
