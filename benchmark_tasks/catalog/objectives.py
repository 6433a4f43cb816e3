"""Latency objectives of an installation: `objectives/<name>.yaml` in its catalog."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from benchmark_tasks.results.record import Record

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
"""Of a name of an objective: it is a file's name, too."""

Percentile = Literal[50, 90, 95, 99]
Ceiling = Annotated[float, Field(gt=0, le=86_400_000, allow_inf_nan=False)]


class Objective(Record):
    """Ceilings on a percentile of the time to the first token and of the inter-token latency, ms.

    One of both may be absent. An objective with the name of a shipped one (`chat`, `code`, `batch`) replaces
    its ceilings. source: where they come from, or who wants them.
    """

    objective: Annotated[str, Field(pattern=NAME_PATTERN)]
    ttft_percentile: Percentile | None = None
    ttft_ceiling_ms: Ceiling | None = None
    itl_percentile: Percentile | None = None
    itl_ceiling_ms: Ceiling | None = None
    source: Annotated[str, Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _complete(self) -> Objective:
        for name in ("ttft", "itl"):
            percentile, ceiling = getattr(self, f"{name}_percentile"), getattr(self, f"{name}_ceiling_ms")
            if (percentile is None) != (ceiling is None):
                raise ValueError(f"{name}_percentile and {name}_ceiling_ms go together: give both or none")
        if self.ttft_ceiling_ms is None and self.itl_ceiling_ms is None:
            raise ValueError("an objective has a ceiling: give ttft_ceiling_ms or itl_ceiling_ms")
        return self
