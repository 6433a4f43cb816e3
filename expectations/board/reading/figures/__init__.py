"""Figures of a publication: each is one query (`<name>.sql`) and one drawing (`<name>.py`).

A drawing is a declarative specification (Vega-Lite through Altair) over the rows of its query, drawn as SVG
when the publication is made. Colours are names of the page's style sheet (`var(--...)`): one drawing serves
light and dark.
"""

from expectations.board.reading.figures.figure import FIGURES, Figure, Rows

__all__ = ["FIGURES", "Figure", "Rows"]
