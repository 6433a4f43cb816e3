"""`gpus/<gpu>.yaml`: a GPU model."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from benchmark_tasks.catalog.fields import Name, Positive
from benchmark_tasks.results.record import Record


class GpuEntry(Record):
    """A GPU model. TDP in watts, memory in GiB as its maker states them.

    Clocks in MHz are the highest that the driver lets it run at; absent where nobody has told us.
    `driver_names` are regular expressions, matched from the start of the name that the driver gives.
    """

    gpu_model: Name
    display_name: Name
    tdp_watts: Positive
    memory_gib: Positive
    max_sm_clock_mhz: Positive | None = None
    max_memory_clock_mhz: Positive | None = None
    driver_names: tuple[Name, ...] = Field(min_length=1)
    source: Name

    @field_validator("driver_names")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns
