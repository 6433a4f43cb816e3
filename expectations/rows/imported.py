"""The figures of an imported row, from the stored import: others measured it, so there are no bundles."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow.parquet as pq

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.settings import Settings
from expectations.rows.bundles import Figures
from expectations.rows.row import Row

_AS_IMPORTED = {
    "energy_per_output_joules": (
        "energy_per_token_joules",
        "energy_per_image_joules",
        "energy_per_video_joules",
    ),
    "energy_per_response_joules": (
        "energy_per_request_joules",
        "energy_per_image_joules",
        "energy_per_video_joules",
    ),
    "throughput_per_second": (
        "output_throughput_tokens_per_sec",
        "throughput_images_per_sec",
        "throughput_videos_per_sec",
    ),
    "mean_power_watts": ("avg_power_watts",),
    "output_tokens_per_response": ("avg_output_len",),
    "mean_running_requests": ("avg_batch_size",),
    "median_itl_ms": ("median_itl_ms",),
    "p90_itl_ms": ("p90_itl_ms",),
    "p95_itl_ms": ("p95_itl_ms",),
    "p99_itl_ms": ("p99_itl_ms",),
    "batch_latency_seconds": ("batch_latency_s",),
}
"""By column of `leaderboard`: the columns of the import of which the first that is known must be equal."""


class Imported:
    """The import in use, read when it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def source(self) -> str:
        """What the figures are compared with, for people."""
        return f"the import {self._folder.name}: others measured it, so there are no bundles"

    def figures(self, row: Row) -> Figures:
        """What others published for a row.

        Raises:
            PublicationError: nothing is imported, or the import in use does not have the row.
        """
        published = self._rows.get(row.columns["configuration_id"])
        if published is None:
            raise PublicationError(
                f"the import in use, {self._folder.name}, does not have it: import what it was published from"
            )
        return {
            column: next((published[name] for name in names if published[name] is not None), None)
            for column, names in _AS_IMPORTED.items()
        }

    @cached_property
    def _folder(self) -> Any:
        folder = mlenergy.current(self._settings)
        if folder is None:
            raise PublicationError("nothing is imported here: `jouleboard import mlenergy` imports it")
        return folder

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        """By configuration, the first of its published measurements: the one that counts."""
        columns = ["configuration_id", *{name for names in _AS_IMPORTED.values() for name in names}]
        path = self._folder / "mlenergy_configurations.parquet"
        first = pq.read_table(path, columns=columns, filters=[("replicate", "=", 1)])
        return {row["configuration_id"]: row for row in first.to_pylist()}
