"""Kinds of values that several files of the catalog hold, and validators they share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, ValidationInfo

Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]*$")]
"""A text for people, without control characters, which no figure and no XML can hold."""
HubId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=96)
]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

DESCRIPTION_ONLY = re.compile(
    r"\.(md|png|jpe?g|gif|svg|webp|pdf)$|(^|/)(\.gitattributes|\.gitignore|LICENSE|NOTICE|USE_POLICY)[^/]*$",
    re.IGNORECASE,
)
"""Names of a repository's files that describe a model and are no part of it."""


def known_gpu(gpu_model: str, info: ValidationInfo) -> str:
    """A validator: the catalog that is being read has this GPU."""
    known = (info.context or {}).get("gpu_models")
    if known is not None and gpu_model not in known:
        raise ValueError(f"no such GPU in the catalog; it has {', '.join(sorted(known))}")
    return gpu_model


def ascending(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A validator: sizes in order, each once."""
    if list(sizes) != sorted(set(sizes)):
        raise ValueError("sizes must be in rising order, without repeats")
    return sizes
