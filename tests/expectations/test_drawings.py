"""Drawings are made once; other rows or code are drawn again, and what is kept may be lost or damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from expectations.board.operations.load_curves import curves, svg
from expectations.board.reading.figures import FIGURES, theme
from expectations.pages import drawings
from tests.expectations.board.test_load_curves import CAPACITY, IDLE, LOAD


class Drawn:
    """Draws what it is told, and counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *made_from: Any) -> bytes:
        def draw() -> bytes:
            self.times += 1
            return repr(made_from).encode()

        return drawings.once(draw, *made_from)


def test_the_same_is_drawn_once_and_what_was_not_asked_for_is_forgotten(tmp_path: Path) -> None:
    drawn, folder = Drawn(), tmp_path / "warehouse" / "drawings"
    for code, rows, times in (("a", 1, 1), ("a", 1, 1), ("a", 2, 2), ("b", 2, 3), ("b", 2, 3), ("a", 1, 4)):
        with drawings.kept_in(folder, code):
            assert drawn("line", rows) == drawn("line", rows) == repr(("line", rows)).encode()
        assert drawn.times == times
        assert len(list(folder.iterdir())) == 1
    assert drawn("line", 1)
    assert drawn.times == 5  # outside, everything is drawn


@pytest.mark.parametrize("damaged", [b"", b"short", b"\xff" * 100])
def test_what_is_damaged_is_drawn_again(tmp_path: Path, damaged: bytes) -> None:
    drawn = Drawn()
    with drawings.kept_in(tmp_path, "a"):
        text = drawn("line")
    (file,) = tmp_path.iterdir()
    file.write_bytes(damaged)
    with drawings.kept_in(tmp_path, "a"):
        assert drawn("line") == text
    assert drawn.times == 2


def test_where_nothing_can_be_kept_everything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder would be")
    drawn = Drawn()
    with drawings.kept_in(tmp_path / "file", "a"):
        assert drawn("line") == drawn("line")
    assert drawn.times == 2


def test_a_publication_with_other_rows_is_drawn_as_from_scratch(tmp_path: Path) -> None:
    """Kept drawings are those of their rows, and of nothing else."""
    rows = pd.DataFrame({"model": ["a", "b"], "joules": [1.0, 2.0]})
    figure, layouts = FIGURES["batch_size"], (theme.WIDE, theme.NARROW)
    figure = _Bars(figure.name, figure.title, figure.needs)
    load = [IDLE, LOAD, {**LOAD, "request_rate": 8.0, "mean_power_watts": 450.0}]

    def everything(joules: float, watts: float) -> list[Any]:
        own = rows.assign(joules=[1.0, joules])
        (curve,) = curves([*load[:-1], {**load[-1], "mean_power_watts": watts}], [CAPACITY])
        return [*(figure.specification(own, {}, layout) for layout in layouts), svg(curve)]

    with drawings.kept_in(tmp_path, "a"):
        everything(2.0, 450.0)
    for joules, watts in ((2.0, 450.0), (3.0, 450.0), (2.0, 460.0)):
        with drawings.kept_in(tmp_path, "a"):
            kept = everything(joules, watts)
        assert kept == everything(joules, watts)


def test_noise_in_the_last_digits_of_a_sum_is_not_drawn_again(tmp_path: Path) -> None:
    """A sum of many rows depends on their order; what can be seen of it does not."""
    figure = FIGURES["batch_size"]
    figure = _Bars(figure.name, figure.title, figure.needs)

    def everything(joules: float) -> list[Any]:
        rows = pd.DataFrame({"model": ["a", "b"], "joules": [1.0, joules]})
        (curve,) = curves([IDLE, LOAD, {**LOAD, "request_rate": 8.0, "mean_power_watts": joules}], [CAPACITY])
        vega = figure.specification(rows, {}, theme.WIDE)
        return [vega, drawings.svg_of_vega(vega), svg(curve)]

    with drawings.kept_in(tmp_path, "a"):
        first = everything(450.0)
    kept = {path.name for path in tmp_path.iterdir()}
    with drawings.kept_in(tmp_path, "a"):
        assert everything(450.0 * (1 + 1e-14)) == first
    assert {path.name for path in tmp_path.iterdir()} == kept
    with drawings.kept_in(tmp_path, "a"):
        assert everything(450.0 * (1 + 1e-6)) != first


class _Bars(type(FIGURES["batch_size"])):  # type: ignore[misc]
    """A figure of any rows."""

    def chart(self, rows: Any, tasks: Any, layout: theme.Layout = theme.WIDE) -> Any:
        import altair as alt

        return alt.Chart(rows).mark_bar().encode(x="model", y="joules").properties(width=layout.width)


def test_a_text_that_xml_cannot_hold_ends_no_process() -> None:
    chart = {
        "data": {"values": [{"model": "\x1b[31mred\x00", "joules": 1.0}]},
        "mark": "bar",
        "encoding": {
            "y": {"field": "model", "type": "nominal"},
            "x": {"field": "joules", "type": "quantitative"},
        },
    }
    assert "\ufffd[31mred\ufffd" in drawings.svg_of_vega_lite(chart)
