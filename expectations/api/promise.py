"""What v1 promises: `v1.json`, the OpenAPI description without its texts. It only grows.

python -m expectations.api.promise published/current/api/v1/openapi.json    # adds what is new
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROMISE_FILE = Path(__file__).with_name("v1.json")
_WORDS = frozenset({"description", "summary", "title"})


def promise_of(document: Mapping[str, Any]) -> Any:
    """A description without what is text for people."""
    return _without_words(document, named=False)


def _without_words(content: Any, *, named: bool) -> Any:
    """named: whether the keys are names of fields, so that none of them is a text."""
    if isinstance(content, dict):
        return {
            name: _without_words(value, named=not named and name == "properties")
            for name, value in content.items()
            if named or name not in _WORDS
        }
    return [_without_words(each, named=False) for each in content] if isinstance(content, list) else content


def broken(promised: Any, now: Any, place: str = "") -> list[str]:
    """Each part of a promise that is not there any more or has become something else, by its place."""
    match promised, now:
        case dict(), dict():
            gone = [f"{place}/{name} is gone" for name in sorted(promised.keys() - now.keys())]
            kept = sorted(promised.keys() & now.keys())
            return gone + [
                each for name in kept for each in broken(promised[name], now[name], f"{place}/{name}")
            ]
        case list(), list():
            return [f"{place}: {json.dumps(each)} is gone" for each in promised if each not in now]
    return [] if promised == now else [f"{place}: {promised!r} has become {now!r}"]


def main() -> None:
    """Add what a publication's description has to the promise; refuse if that would break it."""
    now = promise_of(json.loads(Path(sys.argv[1]).read_text()))
    if PROMISE_FILE.exists() and (found := broken(json.loads(PROMISE_FILE.read_text()), now)):
        raise SystemExit(f"error: v1 promises more: {'; '.join(found)}")
    PROMISE_FILE.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
