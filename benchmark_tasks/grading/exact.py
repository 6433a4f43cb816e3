"""The text that an answer gives, for comparing it with the right one."""

from __future__ import annotations

import re

from benchmark_tasks.grading.text import boxed, plain, said

_AROUND = " \t\"'“”‘’«».!。…"


def read_text(text: str) -> str | None:
    r"""The last `\boxed{...}`, else what follows the last `answer is` or `answer:`, else everything.

    Case, blanks, Markdown, quotes around it and full stops at its end do not count. `None` if nothing is
    left.
    """
    text = plain(text)
    box = boxed(text)
    statement = said(text) if box is None else box
    chosen = text if statement is None else statement
    return re.sub(r"\s+", " ", chosen).strip(_AROUND).casefold() or None
