"""The base class of stored records, and types of numbers with their limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_MOST_IN_32_BITS, _MOST_IN_64_BITS = 2**31 - 1, 2**63 - 1
_MOST_COUNTED = 2**53
"""Every reader of a record has whole numbers up to here exactly, and sums of them fit 64 bits."""
LAST_BIN = 350
"""Of a histogram of latencies (`histogram.py`)."""

Count = Annotated[int, Field(ge=0, le=_MOST_COUNTED)]
FewCount = Annotated[int, Field(ge=0, le=_MOST_IN_32_BITS)]
"""A count with a column of 32 bits."""
Degree = Annotated[int, Field(ge=1, le=_MOST_IN_32_BITS)]
Seed = Annotated[int, Field(ge=-_MOST_IN_64_BITS - 1, le=_MOST_IN_64_BITS)]
Bin = Annotated[int, Field(ge=0, le=LAST_BIN)]
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2262, 1, 1, tzinfo=UTC))
]
"""A time with a zone, which fits nanoseconds of 64 bits."""
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Measured = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MeasuredKey = Annotated[Measured, AfterValidator(lambda value: value + 0.0)]
"""A number that is part of an identity: `-0.0` becomes `0.0`, which it equals, but not as text."""
Shape = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Record(BaseModel):
    """A frozen value object that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
