"""Fields that a person writes: notes, reasons, an address; and fields that a form does not have."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from jouleboard_airflow.tasks.choices.misfit import Misfit, shown

LONGEST_TEXT = 2000
"""Characters of a note or a reason."""


def texts(params: Mapping[str, Any], fields: Collection[str]) -> list[Misfit]:
    """The impossible notes and reasons of a form with these fields, and names that are none of them."""
    misfits = [_no_such_field(str(name), fields) for name in params if name not in fields]
    for name in ("note", "approve"):
        text = params.get(name)
        if isinstance(text, str) and (problem := _text_problem(text, is_reason=name == "approve")):
            misfits.append(Misfit(name, *problem))
    return misfits


def source_of_import(source: str) -> Misfit | None:
    """An address that results cannot be imported from, as far as it need not be read."""
    problem = _source_problem(source)
    return None if problem is None else Misfit("source", *problem)


def _no_such_field(name: str, fields: Collection[str]) -> Misfit:
    near = difflib.get_close_matches(name, fields, n=1)
    fits = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(fields)}"
    return Misfit(shown(name), "the form has no such field", fits)


def _text_problem(text: str, *, is_reason: bool) -> tuple[str, str] | None:
    if len(text) > LONGEST_TEXT:
        return f"{len(text)} characters", f"write at most {LONGEST_TEXT}"
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text if sign not in "\t\r\n"):
        return "has control characters", "write plain text"
    if is_reason and not text.strip():
        return "has no words", "write a reason, or leave it empty"
    return None


def _source_problem(source: str) -> tuple[str, str] | None:
    import httpx

    fits = "write the whole path of a folder with index.json, tasks/ and models/, or an http(s) address"
    if problem := _text_problem(source, is_reason=False):
        return problem
    if source.startswith(("http://", "https://")):
        try:
            host = httpx.URL(source).host
        except httpx.InvalidURL as error:
            return f"{shown(source)} is not an address ({error})", fits
        return None if host else (f"{shown(source)} names no host", fits)
    if not source.strip():
        return "is empty", f"{fits}, or leave it empty for ML.ENERGY's public address"
    if "://" in source or not source.startswith(("/", "~")):
        return f"{shown(source)} is neither a whole path nor an http(s) address", fits
    return None
