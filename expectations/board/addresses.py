"""Addresses of the site's pages, relative to its folder. They are stable from one publication to the next.

A row of the leaderboard has the address `models/<name of the model's page>#<configuration_id>`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence

from expectations.board.reading import page_name as reading_page_name

MODELS_FOLDER = "models"
RELEASES_FOLDER = "releases"
EXPLORER = "index.html"
MODELS = "models.html"
GATE = "gate_report.html"

_HASH_DIGITS = 8
_LONGEST = 100
"""Characters of a name; file systems allow 255 bytes with what is added to it."""


def model_page_name(model_id: str, known: Collection[str] = ()) -> str:
    """File name of a model's page, in `models/`.

    Lower-case letters, digits and dots stay; everything else becomes a hyphen.

    known: the ids of all models of the publication. Of several whose names would be equal, each carries a
    few digits of its id's SHA-256.
    """
    return _page_name(model_id, known)


def release_page_name(runtime: str, version: str, known: Collection[tuple[str, str]] = ()) -> str:
    """File name of a release's page, in `releases/`; made as that of a model's page is.

    known: runtime and version of all releases of the publication.
    """
    return _page_name(f"{runtime} {version}", [" ".join(release) for release in known])


def row_address(model_id: str, configuration_id: str, known: Collection[str] = ()) -> str:
    """Where a row of the leaderboard stands, relative to the site's folder."""
    return f"{MODELS_FOLDER}/{model_page_name(model_id, known)}#{configuration_id}"


def navigation(readings: Sequence[str], *, is_whole: bool = True) -> tuple[tuple[str, str], ...]:
    """Address and title of every entry of the site's navigation.

    readings: sources with a living reading; the entry leads to the first of them. is_whole: whether the
    publication has the marts of all pages. If not, only those stand here that every publication has.
    """
    reading = [(reading_page_name(source), "Reading") for source in readings[:1]]
    others = _MEASURED if is_whole else ()
    return ((EXPLORER, "Explorer"), *reading, *others, (GATE, "Gate"), *(_PUBLISHED if is_whole else ()))


_MEASURED = (
    (MODELS, "Models"),
    ("releases.html", "Releases"),
    ("load.html", "Load"),
    ("images.html", "Images"),
    ("prices.html", "Prices"),
    ("ledger.html", "Ledger"),
)
_PUBLISHED = (("publications.html", "Publications"), ("about.html", "About"))


def plain_name(text: str) -> str:
    """A text as a part of an address or of a file's name; a long one ends in a hash of itself."""
    name = re.sub(r"[^a-z0-9.]|^[.]", "-", text.lower())
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{_hash(text)}"


def _page_name(text: str, known: Collection[str]) -> str:
    name = plain_name(text)
    if any(other != text and plain_name(other) == name for other in known):
        name += f"-{_hash(text)}"
    return f"{name}.html"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
