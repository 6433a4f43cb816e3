"""Version numbers as PEP 440 has them, read from texts of others."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from benchmark_tasks.errors import UnknownVersion

LONGEST_VERSION = 100
"""Characters. Python reads no number of more than 4,300 digits."""


def read_version(text: str) -> Version:
    """The version number.

    Raises:
        UnknownVersion: the text is not one, or longer than any.
    """
    if len(text) > LONGEST_VERSION:
        raise UnknownVersion(
            f"{text[:20]!r}... is not a version number: it has {len(text):,} characters,"
            f" at most {LONGEST_VERSION} characters are read"
        )
    try:
        return Version(text)
    except InvalidVersion as error:
        raise UnknownVersion(f"{text!r} is not a version number (PEP 440)") from error
