"""Addresses of the site's pages, relative to its folder. They are stable from one publication to the next.

A row of the leaderboard has the address `models/<name of the model's page>#<configuration_id>`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence

from expectations.board.reading import page_name as reading_page_name

MODELS_FOLDER = "models"
EXPLORER = "index.html"
GATE = "gate_report.html"

_HASH_DIGITS = 8


def model_page_name(model_id: str, known: Collection[str] = ()) -> str:
    """File name of a model's page, in `models/`.

    Lower-case letters, digits and dots stay; everything else becomes a hyphen.

    known: the ids of all models of the publication. Of several whose names would be equal, each carries a
    few digits of its id's SHA-256.
    """
    name = _plain_name(model_id)
    if any(other != model_id and _plain_name(other) == name for other in known):
        name += "-" + hashlib.sha256(model_id.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{name}.html"


def row_address(model_id: str, configuration_id: str, known: Collection[str] = ()) -> str:
    """Where a row of the leaderboard stands, relative to the site's folder."""
    return f"{MODELS_FOLDER}/{model_page_name(model_id, known)}#{configuration_id}"


def navigation(readings: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Address and title of every entry of the site's navigation.

    readings: sources with a living reading; the entry leads to the first of them.
    """
    reading = [(reading_page_name(source), "Reading") for source in readings[:1]]
    return ((EXPLORER, "Explorer"), *reading, (GATE, "Gate"))


def _plain_name(model_id: str) -> str:
    return re.sub(r"[^a-z0-9.]|^[.]", "-", model_id.lower())
