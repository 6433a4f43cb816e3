"""Which letter an answer chooses, of `(A)`, `(B)` and so on."""

from __future__ import annotations

import re
from string import ascii_uppercase

from benchmark_tasks.grading.text import boxed, lines_of, plain, said

_OPENING = (
    r"(?:(?:option|choice|letter|answer|the|therefore|clearly|probably|definitely|most likely)\b"
    r"|[\s:=(\[{\"'#>-])*"
)
_LETTER = re.compile(_OPENING + r"(?P<letter>[A-Za-z])(?P<end>\W*)(?P<next>\w*)", re.IGNORECASE)
_MENTION = re.compile(
    r"(?P<not>\b(?i:not|isn't|neither|nor|than)\s+)?(?:\(\s*(?P<a>[A-Za-z])\s*\)|\b(?:[Oo]ption|[Cc]hoice)\s+(?P<b>[A-Z])\b)"
)
_CORRECT = re.compile(
    r"(?:\(\s*([A-Za-z])\s*\)|\b([A-Z]))[).:]?\s+(?:is|would be)\s+(?:the\s+)?(?:\w+\s+)?(?:correct|right)\b"
)
_JOINED = re.compile(r"(?:\s*(?:and|or|/|&|,|;)\s*|\s+)\(?[A-Z]\b\)?(?!['’])")
_ARTICLES = frozenset("AI")
_AFTER_A_LETTER = frozenset({"because", "since", "as", "and", "or", "is", "for"})


def read_choice(text: str, choices: int) -> str | None:
    r"""The letter, `A` to the last of so many; `None` if none, another, or several different ones are chosen.

    In this order: the last `\boxed{B}`; what follows the last `answer is` or `answer:`; `(B) is correct`; a
    line that is or begins with the letter (the last line, else the first); the only letter in brackets.
    """
    text = plain(text)
    if (box := boxed(text)) is not None:
        return _of(_at_start(box), choices)
    if (statement := said(text)) is not None:
        return _of(_at_start(statement), choices)
    if correct := {(a or b).upper() for a, b in _CORRECT.findall(text)}:
        return _of(correct, choices)
    lines = list(lines_of(text))
    for line in [*lines[:1], *lines[-1:]]:
        if letters := _at_start(line):
            return _of(letters | _mentioned(line), choices)
    return _of(_mentioned(text), choices)


def _of(letters: set[str], choices: int) -> str | None:
    """The letter if there is a single one, and it is a choice."""
    if len(letters) != 1:
        return None
    (letter,) = letters
    return letter if letter in ascii_uppercase[:choices] else None


def _mentioned(text: str) -> set[str]:
    """The letters in brackets, or after `option`, that are not said to be wrong."""
    mentions = [found for found in _MENTION.finditer(text) if not found["not"]]
    return {(found["a"] or found["b"]).upper() for found in mentions}


def _at_start(text: str) -> set[str]:
    """The letters that a text begins with: empty where it begins with a word."""
    found = _LETTER.match(text)
    if found is None:
        return set()
    letter, end, following = found["letter"], found["end"], found["next"]
    bracketed = end.startswith(")") or text[: found.start("letter")].rstrip().endswith("(")
    if end == "" and following:  # the first letter of a word
        return set()
    bare = bool(end.isspace() and following and not bracketed)
    article = bare and (letter.islower() or letter in _ARTICLES)  # `a dog`, `A dog`
    if article and following.lower() not in _AFTER_A_LETTER:
        return set()
    rest = text[found.end("letter") :]
    others = _JOINED.match(rest.removeprefix(")"))
    return {letter.upper()} | ({others[0].strip(" ,;/&()")[-1].upper()} if others else set())
