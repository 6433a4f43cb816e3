"""The project's documentation as pages of the site, so that links to it work without a network."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from expectations.pages import drawings, render_page

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs"
INDEX = "docs.html"
"""File name of the page that lists them."""

GROUPS = (
    ("Method and results", ("methodology.md", "one-number.md", "results.md", "stand-in.md", "gate.md")),
    ("Use what is published", ("explorer.md", "analysts.md", "glossary.md")),
    ("Begin", ("tutorial/first-publication.md", "tutorial/first-measurement.md")),
    ("Contribute", ("../CONTRIBUTING.md", "how-to/add-a-*.md")),
    ("Operate", ("operations.md", "gpu-host.md", "security.md", "how-to/*.md")),
    ("How it is built", ("architecture.md", "adr/*.md")),
)
"""Title of each group, and its files below `docs/`; a file is in the first group that names it."""

_EXTENSIONS = ("tables", "fenced_code", "def_list", "toc", "sane_lists")
_LINK = re.compile(r'<a href="([^"]+)">(.*?)</a>', re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A file of the documentation. path: below `docs/`. html: without its title."""

    path: str
    title: str
    html: str

    @property
    def address(self) -> str:
        """File name of its page, in the site's folder."""
        return page_name(self.path)


def page_name(path: str) -> str:
    """File name of a document's page."""
    return f"docs-{re.sub(r'[^a-z0-9]+', '-', path.removesuffix('.md').lower()).strip('-')}.html"


@cache
def documents(folder: Path = DOCS) -> tuple[tuple[str, tuple[Document, ...]], ...]:
    """The documents by group; none where the documentation is not installed."""
    known: dict[str, Path] = {}
    groups = []
    for title, patterns in GROUPS:
        names = [name for pattern in patterns for name in _matching(folder, pattern) if name not in known]
        known |= {name: folder / name for name in names}
        groups.append((title, tuple(names)))
    return tuple((title, tuple(_document(name, known) for name in names)) for title, names in groups if names)


def write_documents(
    folder: Path, manifest: Mapping[str, Any], links: Sequence[tuple[str, str]], docs: Path = DOCS
) -> bool:
    """Write a page per document, and their list, into the site's folder. Returns whether there are any."""
    groups = documents(docs)
    if not groups:
        return False
    shared = {"summary": manifest["summary"], "links": links}
    for _, members in groups:
        for document in members:
            text = render_page("board/about/document.html", document=document, **shared)
            (folder / document.address).write_text(text)
    (folder / INDEX).write_text(render_page("board/about/documents.html", groups=groups, **shared))
    return True


def _matching(folder: Path, pattern: str) -> list[str]:
    """Files, as paths relative to the folder."""
    if "*" in pattern:
        return sorted(file.relative_to(folder).as_posix() for file in folder.glob(pattern))
    return [pattern] if (folder / pattern).is_file() else []


def _document(name: str, known: Mapping[str, Path]) -> Document:
    import markdown

    heading, _, text = known[name].read_text().partition("\n")
    html = drawings.once(
        lambda: markdown.markdown(text, extensions=_EXTENSIONS).encode(), "markdown", text
    ).decode()
    return Document(name, heading.lstrip("# "), _with_links(html, name, known))


def _with_links(html: str, name: str, known: Mapping[str, Path]) -> str:
    """Links to other documents lead to their pages; one to a file that has no page is text."""

    def replaced(link: re.Match[str]) -> str:
        target, anchor = link[1].partition("#")[::2]
        if not target or re.match(r"[a-z]+:", target):
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if path not in known:
            return link[2]
        return f'<a href="{page_name(path)}{"#" + anchor if anchor else ""}">{link[2]}</a>'

    return _LINK.sub(replaced, html)
