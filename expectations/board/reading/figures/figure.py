"""One figure: its query, its drawing and its words."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.board.reading.figures import theme
from expectations.board.reading.query import reading_query
from expectations.pages import drawings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    Rows = pd.DataFrame
else:
    Rows = Any

ROOM = Path(__file__).parent
COUNTS = (
    "batch_size",
    "num_gpus",
    "new_num_gpus",
    "old_num_gpus",
)
NEEDED = (
    *COUNTS,
    "series_id",
    "frontier_id",
    "questions_name",
    "task",
    "family",
    "nickname",
    "text_nickname",
    "modality",
    "is_case",
    "gpu_model",
    "new_gpu_model",
    "old_gpu_model",
    "panel",
    "ceiling",
    "energy_per_token_joules",
    "energy_per_output_joules",
    "new_energy_per_output_joules",
    "old_energy_per_output_joules",
)
"""Columns that say what a row is of, and its energy. A row in which one is NULL cannot be drawn."""

_HIDDEN = 'aria-hidden="true"'
_NAME = re.compile(r"var\(--[\w-]+\)")


@dataclass(frozen=True)
class Figure:
    """A figure by its name, which is that of its two files.

    title: what it shows, without figures. needs: what must have been measured for it to have rows.
    """

    name: str
    title: str
    needs: str

    def query(self, source: str) -> str:
        """Its SQL for one data source, as a reader can run it."""
        return reading_query(ROOM / f"{self.name}.sql", source)

    def rows(self, connection: duckdb.DuckDBPyConnection, source: str) -> Rows:
        """What it draws: the rows of its query, without those that cannot be drawn."""
        return drawable(connection.execute(self.query(source)).df())

    def chart(self, rows: Rows, tasks: Mapping[str, str], layout: theme.Layout = theme.WIDE) -> Any:
        """Its specification over these rows, which are at least one. tasks: display name by task."""
        module = importlib.import_module(f"{__package__}.{self.name}")
        return theme.configured(module.draw(rows, tasks, layout))

    def specification(self, rows: Rows, tasks: Mapping[str, str], layout: theme.Layout) -> dict[str, Any]:
        """The figure for the page's script: what Vega draws, with the reader's choices under `usermeta`."""
        rows = rows.assign(
            **{name: rows[name].map(drawings.rounded) for name in rows.select_dtypes("float").columns}
        )
        columns = {name: str(kind) for name, kind in rows.dtypes.items()}
        made_from = (self.name, dict(tasks), astuple(layout), columns, rows.to_csv(index=False))
        vega: dict[str, Any] = json.loads(
            drawings.once(partial(self._drawn, rows, tasks, layout), *made_from)
        )
        return vega

    def _drawn(self, rows: Rows, tasks: Mapping[str, str], layout: theme.Layout) -> bytes:
        import vl_convert
        from altair.utils.schemapi import debug_mode

        with debug_mode(False):  # Altair's own check of what is drawn takes most of the time; tests have it
            chart = self.chart(rows, tasks, layout).to_dict(validate=False)
        return json.dumps(vl_convert.vegalite_to_vega(chart)).encode()


def drawable(rows: Rows) -> Rows:
    """The rows in which none of `NEEDED` is NULL."""
    needed = [name for name in NEEDED if name in rows]
    if not rows[needed].isna().any(axis=None):
        return rows
    kept = rows.dropna(subset=needed).reset_index(drop=True)
    whole = dict.fromkeys((name for name in COUNTS if name in kept), "int64")  # a NULL made them fractions
    return kept.astype({**whole, **({"is_case": "bool"} if "is_case" in kept else {})})


def drawing(specification: dict[str, Any]) -> str:
    """A specification as SVG for the page, in the colours of its style sheet."""
    text = theme.unsized(drawings.svg_of_vega(specification))
    return text.replace("<svg ", f"<svg {_HIDDEN} ", 1)  # the page's words name the figure


def standalone(svg: str) -> str:
    """The same SVG for a file of its own: colours instead of names, on white."""
    return _NAME.sub(lambda name: theme.LIGHT[name.group()], svg.replace(f"{_HIDDEN} ", "", 1))


FIGURES = {
    figure.name: figure
    for figure in (
        Figure(
            "response_energy",
            "Length and energy of an answer: Problem Solving and Text Conversation",
            "Problem Solving or Text Conversation",
        ),
        Figure(
            "modality",
            "Energy per token when a request carries an image or a video",
            "Image Chat or Video Chat",
        ),
        Figure("generated_media", "Energy of one generated image or video", "Text to Image or Text to Video"),
        Figure(
            "batch_size",
            "What a larger batch changes",
            "one configuration at two batch sizes from 16 on",
        ),
        Figure(
            "energy_over_batch_size",
            "Energy per token and throughput per watt over the batch size",
            "Text Conversation at several batch sizes",
        ),
        Figure(
            "model_size", "Energy per token and activated parameters", "models of one family and precision"
        ),
        Figure(
            "gpu_generations",
            "Two GPU models under the same latency ceiling",
            "the same model on two GPU models",
        ),
        Figure("precision", "FP8 against BF16 over the batch size", "one model in both precisions"),
        Figure("gpu_counts", "One model on fewer and on more GPUs", "one model on two numbers of GPUs"),
        Figure(
            "right_answers",
            "Accuracy and energy per right answer",
            "graded answers to 100 questions or more, right more often than by chance (--answer-form)",
        ),
        Figure("frontier", "Latency and energy over GPU models", "one model on two GPU models"),
    )
}
