"""`housekeeping.yaml`: what is kept and for how long."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from benchmark_tasks.results import address
from benchmark_tasks.results.record import Record

Count = Annotated[int, Field(ge=0, le=100_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class Weekly(StrEnum):
    """What the weekly run of the DAG does."""

    REPORT = "report"
    APPLY = "apply"


class Environments(Record):
    """Which environments of runtimes are kept.

    newest: releases of each package. compared_versions: releases that the newest ranked one of any
        configuration is compared with. unused_days: those used within these days are kept, too.
    """

    newest: Count = 2
    compared_versions: Count = 1
    unused_days: Days = 30


class Age(Record):
    """What is older than `days` is removed."""

    days: Days = 180


class ColdRaw(Record):
    """Bundles older than `after_days` move to `cold`, a folder or a URL; `None`: they stay."""

    cold: str | None = None
    after_days: Days = 180

    @field_validator("cold")
    @classmethod
    def _is_a_place(cls, cold: str | None) -> str | None:
        if cold is not None and (why := address.problem(cold)):
            raise ValueError(f"{cold!r} is no place: {why}")
        return cold


class Imports(Record):
    """How many imports are kept beside the current one."""

    earlier: Count = 1


class Publications(Record):
    """How many of the newest publications are kept."""

    newest: Annotated[int, Field(ge=1, le=100_000)] = 30


class Housekeeping(Record):
    """The whole policy, one section per kind of what grows."""

    weekly: Weekly = Weekly.REPORT
    environments: Environments = Environments()
    task_logs: Age = Age()
    airflow_database: Age = Age()
    raw: ColdRaw = ColdRaw()
    imports: Imports = Imports()
    publications: Publications = Publications()
