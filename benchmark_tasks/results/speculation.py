"""Speculative decoding, as the options of a run's server ask for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

OPTION = "speculative_config"
"""The option's name in vLLM (`vllm/config/speculative.py`); `speculative-config` is the same."""

_METHOD = re.compile(r"[a-z0-9_]{1,40}")


def speculation_row(options: Mapping[str, JsonValue]) -> dict[str, Any]:
    """What a run's row says of speculative decoding; empty for a server without it.

    `speculative_method` and `speculative_tokens`: how drafts are made, and tokens per draft.
    `prescribed_acceptance_length`: tokens per step on average, the model's own token included, where the
    runtime accepts drafts at random at a prescribed rate; `None` where the model decides.
    `other_server_options`: how many options a person gave besides.
    """
    by_name = {name.replace("-", "_"): value for name, value in options.items()}
    asked = _mapping(by_name.pop(OPTION, None))
    if asked is None:
        return {}
    method, tokens = asked.get("method"), _number(asked.get("num_speculative_tokens"))
    return {
        "speculative_method": method if isinstance(method, str) and _METHOD.fullmatch(method) else None,
        "speculative_tokens": None if tokens is None else int(tokens),
        "prescribed_acceptance_length": _prescribed(asked),
        "other_server_options": len(by_name),
    }


def _mapping(value: JsonValue) -> Mapping[str, JsonValue] | None:
    """The option's value, which may be written as JSON, too."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) else None


def _prescribed(asked: Mapping[str, JsonValue]) -> float | None:
    """The prescribed mean length; rates are of the first drafted token, the second and so on."""
    if asked.get("rejection_sample_method") != "synthetic":
        return None
    rates = asked.get("synthetic_acceptance_rates")
    if isinstance(rates, list):
        known = [float(rate) for rate in rates if isinstance(rate, int | float)]
        return _number(1.0 + sum(known)) if len(known) == len(rates) else None
    return _number(asked.get("synthetic_acceptance_length"))


def _number(value: JsonValue) -> float | None:
    """A number that drafts can have; `None` for anything else that stands there."""
    return float(value) if isinstance(value, int | float) and 1 <= value < 1000 else None
