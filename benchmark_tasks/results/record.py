"""The base class of stored records, and types of numbers with their limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Degree = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Measured = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Shape = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Record(BaseModel):
    """A frozen value object that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
