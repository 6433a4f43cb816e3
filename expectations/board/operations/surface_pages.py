"""What the page of images and videos shows: a figure per family of points, their tables, their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.board.operations import surface_curves
from expectations.board.reading.figures.figure import standalone
from expectations.board.reading.page import PIXELS
from expectations.laws import best_laws
from expectations.laws.answer import BEST, NEAREST
from expectations.pages.png import write_png
from expectations.sql import load_sql, rows_of

if TYPE_CHECKING:
    import duckdb

ROOM = Path(__file__).parent
POINTS = ROOM / "surface_points.sql"
FIGURES = "figures"
CSV = f"{FIGURES}/jouleboard-{surface_curves.NAME}.csv"


def images(folder: Path, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Values of the page `images.html`; its figures and their rows are written as files, too."""
    laws = best_laws(rows_of(connection, BEST))
    known = surface_curves.surfaces(rows_of(connection, POINTS), laws, rows_of(connection, NEAREST))
    drawn = known[: surface_curves.SHOWN]
    pictures = [
        {"wide": surface_curves.svg(surface), "narrow": surface_curves.svg(surface, narrow=True)}
        for surface in drawn
    ]
    if drawn:
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        connection.sql(load_sql(POINTS)).write_csv(str(folder / CSV))
    for surface, picture in zip(drawn, pictures, strict=True):
        svg = standalone(picture["wide"])
        (folder / FIGURES / f"{surface.stem}.svg").write_text(svg)
        write_png(svg, folder / FIGURES / f"{surface.stem}.png", PIXELS)
    return {
        "drawn": drawn,
        "pictures": pictures,
        "said": [surface_curves.in_words(surface) for surface in drawn],
        "counts": [[surface_curves.counts(surface, row) for row in surface.points] for surface in drawn],
        "more": len(known) - len(drawn),
        "csv": CSV,
    }
