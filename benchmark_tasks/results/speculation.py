"""Speculative decoding, as the options of a run's server ask for it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

OPTION = "speculative_config"
"""The option's name in vLLM (`vllm/config/speculative.py`); `speculative-config` is the same."""

_METHOD = re.compile(r"[a-z0-9_]{1,40}")
_OF_ACCEPTANCE = ("rejection_sample_method", "synthetic_")
"""How the options begin that say how drafts are accepted, and not how they are made."""
_MOST_TOKENS = 1000


def speculation_row(options: Mapping[str, JsonValue]) -> dict[str, Any]:
    """What a run's row says of speculative decoding; empty for a server without it.

    `speculative_method` and `speculative_tokens`: how drafts are made, and tokens per draft. `draft_hash`:
    of all that says how they are made (the draft model's folder is not told). `acceptance_is_prescribed`:
    whether the runtime accepts drafts at random at a prescribed rate. `prescribed_acceptance_length`: tokens
    per step on average then, the model's own token included; `None` where the options do not say it in a way
    that is known. `other_server_options`: how many options a person gave besides.
    """
    by_name = {name.replace("-", "_"): value for name, value in options.items()}
    asked = _mapping(by_name.pop(OPTION, None))
    dotted = {name: by_name.pop(name) for name in list(by_name) if name.startswith(f"{OPTION}.")}
    if asked is None and not dotted:
        return {}
    asked = {**(asked or {}), **{name.removeprefix(f"{OPTION}."): value for name, value in dotted.items()}}
    method, tokens = asked.get("method"), _number(asked.get("num_speculative_tokens"), 1, _MOST_TOKENS)
    whole = int(tokens) if tokens is not None and tokens.is_integer() else None
    prescribed = asked.get("rejection_sample_method") == "synthetic"
    return {
        "speculative_method": method if isinstance(method, str) and _METHOD.fullmatch(method) else None,
        "speculative_tokens": whole,
        "draft_hash": _hash_of_draft(asked),
        "acceptance_is_prescribed": prescribed,
        "prescribed_acceptance_length": _prescribed(asked, whole) if prescribed and whole else None,
        "other_server_options": len(by_name),
    }


def _mapping(value: JsonValue) -> Mapping[str, JsonValue] | None:
    """The option's value, which may be written as JSON, too."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, Mapping) else None


def _hash_of_draft(asked: Mapping[str, JsonValue]) -> str | None:
    made = {
        name: value
        for name, value in asked.items()
        if not name.startswith(_OF_ACCEPTANCE) and name != "num_speculative_tokens"
    }
    try:
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:8]
    except (ValueError, RecursionError):
        return None


def _prescribed(asked: Mapping[str, JsonValue], tokens: int) -> float | None:
    """The prescribed mean length; rates are of the first drafted token, the second and so on."""
    rates = asked.get("synthetic_acceptance_rates")
    if isinstance(rates, list):
        known = [rate for rate in (_number(rate, 0, 1) for rate in rates) if rate is not None]
        return 1.0 + sum(known) if len(known) == len(rates) == tokens else None
    return _number(asked.get("synthetic_acceptance_length"), 1, tokens + 1)


def _number(value: JsonValue, low: float, high: float) -> float | None:
    """A number between two; `None` for anything else that stands there."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and low <= value <= high else None  # type: ignore[operator, arg-type]
