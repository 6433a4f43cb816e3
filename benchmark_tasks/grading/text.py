"""The text of an answer, freed of what only decorates it, and where in it the answer is said.

Reading is strict: what is said twice and differently is not guessed at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_REASONING = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OPEN_REASONING = re.compile(r"\A\s*<think(?:ing)?>", re.IGNORECASE)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_MINUS_SIGNS = str.maketrans("−﹣", "--")
_LATEX_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|tt)?|math(?:bf|rm|it|sf|tt)|mbox|operatorname)\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(r"\*\*|__|`+|\\[()\[\]!,;: ]|\\left\b|\\right\b|\$(?=[^\d.\s-]|\Z|\s)|\\\$")
_ANSWER = re.compile(
    r"\b(?:answers?|result|antwort|réponse|respuesta|resposta|risposta|ответ)\b[^.\n:=]{0,80}?"
    r"(?:\b(?:is|are|was|be|ist|est|es|é|è)\b(?!\s+not\b)|[:=])|(?:答案|答え|정답)\s*(?:是|为|は|:)?",
    re.IGNORECASE,
)
_BOX = re.compile(r"\\f?boxed\s*")


def plain(text: str) -> str:
    """The answer after its reasoning, in ASCII digits and signs, without Markdown and LaTeX's dress.

    Digits of any script become those of ASCII; `½` becomes `1/2`, `10³` becomes `10^{3}`. Reasoning that
    never ended leaves nothing: no answer was given.
    """
    text = _REASONING.sub("", text)
    if _OPEN_REASONING.match(text):
        return ""
    text = "".join(_vulgar_fraction(character) for character in text)
    text = _RAISED.sub(lambda raised: "^{" + raised[0].translate(_SUPERSCRIPTS) + "}", text)
    text = unicodedata.normalize("NFKC", text).translate(_MINUS_SIGNS)
    text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    text = _LATEX_TEXT.sub(r" \1 ", _LATEX_TEXT.sub(r" \1 ", text))
    return _DECORATION.sub(" ", text).strip()


def boxed(text: str) -> str | None:
    r"""What stands in the last `\boxed{...}`; empty where it never ends, `None` without one."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    rest = text[boxes[-1].end() :]
    if not rest.startswith("{"):
        return rest[:1].strip()
    depth = 0
    for place, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[1:place].strip()
    return ""


def said(text: str) -> str | None:
    """What follows the last `answer is` or `answer:` to the end of its line; `None` where nothing does.

    A line that ends with the colon is continued by the next one that is not empty.
    """
    statements = list(_ANSWER.finditer(text))
    if not statements:
        return None
    lines = text[statements[-1].end() :].split("\n")
    return next((line.strip() for line in lines if line.strip(" :=#-")), "")


def lines_of(text: str) -> Iterator[str]:
    """The lines that are not empty, the last one first."""
    return (line.strip() for line in reversed(text.split("\n")) if line.strip())


def _vulgar_fraction(character: str) -> str:
    if "⁄" not in unicodedata.normalize("NFKC", character):
        return character
    return " " + unicodedata.normalize("NFKC", character).replace("⁄", "/")
