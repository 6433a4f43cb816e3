"""Prompts for images and videos: short generated descriptions, always the same ones.

Text encoders pad every prompt to one length, so what a prompt says does not change the work.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from dataclasses import dataclass

from benchmark_tasks.errors import CatalogError
from benchmark_tasks.plan.sweep import Sweep
from benchmark_tasks.vocabulary import OutputUnit
from benchmark_tasks.workloads.set_names import SYNTHETIC

PROMPTS = 64

_BEGINNINGS = {OutputUnit.IMAGE: "a photograph of"}
_SUBJECTS = ("a fishing boat", "an old tram", "two cats", "a lighthouse", "a street market", "a chess player")
_PLACES = ("by a frozen lake", "in the rain", "under a red bridge", "on a hill at dawn", "in a quiet library")
_STYLES = ("soft light", "wide angle", "muted colours", "long shadows", "seen from above")


@dataclass(frozen=True)
class PromptSet:
    """Prompts and their id, which is a comparability key."""

    request_set_id: str
    prompts: tuple[str, ...]


def prompt_set_for(sweep: Sweep) -> PromptSet:
    """The prompts of a sweep.

    Raises:
        CatalogError: it names a request set that does not exist.
    """
    if sweep.request_set != SYNTHETIC:
        raise CatalogError(f"{sweep.task} has no request set {sweep.request_set!r}; it has: {SYNTHETIC}")
    unit = sweep.task.output_unit
    beginning = _BEGINNINGS.get(unit, f"a {unit} of")
    every = [f"{beginning} {' '.join(parts)}" for parts in itertools.product(_SUBJECTS, _PLACES, _STYLES)]
    prompts = tuple(random.Random(0).sample(every, PROMPTS))
    digest = hashlib.sha256(json.dumps(prompts).encode()).hexdigest()[:8]
    return PromptSet(f"{SYNTHETIC}-prompts-{digest}", prompts)
