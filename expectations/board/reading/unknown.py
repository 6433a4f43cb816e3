"""NULL in a sentence: a value that a template can ask for (`is none`) and cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jinja2 import Environment, StrictUndefined
from jinja2.exceptions import TemplateRuntimeError


class NotKnownError(TemplateRuntimeError):
    """A sentence says, compares or computes with a value that is NULL. Its text is the value's name."""


class NotKnown(StrictUndefined):
    """NULL. It is false and `none`; whatever else is done with it raises `NotKnownError`."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(hint=name, exc=NotKnownError)

    def _fail(self, *_: object) -> NoReturn:
        raise NotKnownError(self._undefined_hint)

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    __abs__ = __round__ = __format__ = _fail


def known(value: Any, name: str = "") -> Any:
    """A value of a query, with each NULL in it as `NotKnown`. name: the column."""
    if value is None:
        return NotKnown(name)
    if isinstance(value, Mapping):
        return {key: known(part, str(key)) for key, part in value.items()}
    if isinstance(value, list):
        return [known(part, name) for part in value]
    return value


def if_known(caller: Callable[[], str]) -> str:
    """What a part of a sentence says, or nothing if one of its values is NULL.

    caller: the part, as a template has it: `{% call if_known() %}...{% endcall %}`.
    """
    try:
        return caller()
    except NotKnownError:
        return ""


def sentence_environment(filters: Mapping[str, Callable[..., str]]) -> Environment:
    """The environment of the sentences' templates, which have plain text: the page escapes it."""
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters.update(filters)
    environment.globals["if_known"] = if_known
    environment.tests["none"] = lambda value: value is None or isinstance(value, NotKnown)
    return environment
