"""Which names are those of secrets, and what is recorded in place of their values.

It knows names and forms, not values: a secret under a name that says nothing of it is recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

HIDDEN = "***"

_ENDINGS = (
    *("token", "secret", "secrets", "password", "passwords", "passwd", "pwd", "passphrase"),
    *("key", "keys", "credential", "credentials"),
)
"""How the last word of a secret's name ends: `PGPASSWORD` and `apikey` are one word each."""

_LAST_WORDS = frozenset(["auth", "authorization", "header", "headers", "cookie", "cookies"])
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_USER_OF_URL = re.compile(r"(?<=://)[^/?#\s@]+(?=@)")


def is_secret(name: str) -> bool:
    """Whether a variable or an option of this name holds a secret, by the name's last word.

    `--hf-token`, `PGPASSWORD` and `apiKey` do, `--max-num-batched-tokens` and `ssl_keyfile` do not.
    """
    words = _WORD.findall(name)
    return bool(words) and ((last := words[-1].lower()).endswith(_ENDINGS) or last in _LAST_WORDS)


def without_secrets(options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Options with secrets hidden, however deep they are: in objects, lists, JSON in a text, and addresses.

    Numbers and truth values stay: none of them is a secret.
    """
    return {name: _hidden(value) if is_secret(name) else _without(value) for name, value in options.items()}


def arguments_without_secrets(arguments: Iterable[str]) -> tuple[str, ...]:
    """A command line with secrets hidden: `--hf-token=...` and `--hf-token ...`."""
    return tuple(_arguments(arguments))


def _arguments(arguments: Iterable[str]) -> Iterator[str]:
    follows = False
    for argument in arguments:
        is_option = argument.startswith("-")
        name, separator, value = argument.partition("=") if is_option else ("", "", argument)
        if follows and not is_option:
            yield HIDDEN
        elif separator:
            yield f"{name}={HIDDEN if is_secret(name) else _text(value)}"
        else:
            yield _text(argument)
        follows = is_option and not separator and is_secret(name)


def _hidden(value: JsonValue) -> JsonValue:
    return HIDDEN if isinstance(value, (str, list, dict)) and value else value


def _without(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return without_secrets(value)
    if isinstance(value, list):
        return [_without(each) for each in value]
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    if value.lstrip().startswith(("{", "[")):
        try:
            inside = json.loads(value)
        except ValueError:
            inside = None
        if isinstance(inside, (dict, list)) and (shown := _without(inside)) != inside:
            return json.dumps(shown, ensure_ascii=False)
    return _USER_OF_URL.sub(HIDDEN, value)
