"""Values that no option of any command takes: empty ones, bytes that are no text, NaN, too large numbers.

Typer's ranges let NaN pass, and an empty path becomes the working directory. So every command is made strict
in one place: an option that is added later is, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

LARGEST = 2**63 - 1


def strict(command: Any) -> Any:
    """The command of Typer, and all commands below it, so that odd values are usage errors of one line."""
    for parameter in command.params:
        _make_strict(parameter)
    for below in getattr(command, "commands", {}).values():
        strict(below)
    return command


def _make_strict(parameter: Any) -> None:
    convert = parameter.process_value

    def process_value(context: Any, given: Any) -> Any:
        value = convert(context, given)
        if why := _odd(_each(given), _each(value)):
            raise typer.BadParameter(why, ctx=context, param=parameter)
        return value

    parameter.process_value = process_value


def _odd(given: Iterable[Any], values: Iterable[Any]) -> str | None:
    for value in values:
        if isinstance(value, Path) and "" in given:
            return "a path is empty: name a file or folder (. is this folder)"
        if isinstance(value, str) and not value.strip():
            return "the value is empty: give one, or leave this out"
        if isinstance(value, str | Path) and not _is_text(str(value)):
            return "the value is no text in UTF-8: write it in this encoding"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{value} is no number that can be used: give a finite one"
        if isinstance(value, int) and abs(value) > LARGEST:
            return f"{value} is too large: the most is {LARGEST}"
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _each(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)
