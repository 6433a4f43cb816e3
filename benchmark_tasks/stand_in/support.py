"""What can be said of the stand-in without torch: its version, what it can draw, and what it reported.

Copied into the runtime's environment with the rest, so that both sides say the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

VERSION = "stand-in.1"
"""Names the numbers of `recipe`; a comparability key of every result (`Weights.STAND_IN`)."""

REPORT_MARK = "jouleboard-stand-in:"
"""Begins the line in a server's log that says, as JSON, what a process drew."""

OF_DRAFT = "of_draft"
"""Says in a report that the weights are those of a draft model."""

_REPORT = re.compile(re.escape(REPORT_MARK) + r" (\{.*\})")
_TIED_IN_CODE = ("gemma", "cohere")
"""Models whose code has no head of its own, whatever their config says."""


def refusal(config: Mapping[str, Any]) -> str | None:
    """Why no stand-in can be drawn for a config.json; `None` where it can."""
    told = config.get("quantization_config") or {}
    if told and told.get("quant_method") != "fp8":
        return f"a checkpoint quantized by {told.get('quant_method')!r} has no stand-in, only 'fp8' has"
    kind = str((config.get("text_config") or config).get("model_type", ""))
    if kind.startswith(_TIED_IN_CODE):
        return f"the recipe needs an output head of its own, and {kind} has none"
    return None


def untied(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json with an output head of its own: the same work, and the memory of one more matrix."""
    text = config.get("text_config")
    parts = {"text_config": {**text, "tie_word_embeddings": False}} if isinstance(text, Mapping) else {}
    return {**config, **parts, "tie_word_embeddings": False}


def report_line(facts: Mapping[str, Any]) -> str:
    """What a process that drew weights writes to its log, as one line."""
    return f"{REPORT_MARK} {json.dumps(dict(facts), sort_keys=True)}"


def reports_in(lines: Iterable[str]) -> list[dict[str, Any]]:
    """What the processes of a server reported, in the order of their lines."""
    return [json.loads(found[1]) for line in lines if (found := _REPORT.search(line))]
