"""Writes the pages of the living reading: one per data source, complete without a script or a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmark_tasks.catalog import Catalog
from benchmark_tasks.vocabulary import CONTRIBUTOR_PREFIX
from expectations.board.reading.figures import FIGURES, theme
from expectations.board.reading.query import query_files, reading_query
from expectations.board.reading.script import figures_script, write_script
from expectations.board.reading.words import filters
from expectations.board.rows import needed_marts
from expectations.pages import render_page
from expectations.pages.png import write_png
from expectations.sql import rows_of_query

if TYPE_CHECKING:
    import duckdb
    from jinja2 import Environment

ROOM = Path(__file__).parent
QUERIES = tuple(query_files())
PIXELS = 1.5
"""Of a picture per pixel of its figure."""
SOURCES = {"jouleboard": "Our measurements", "mlenergy-v3": "ML.ENERGY v3"}
"""Whose measurements a page reads, by `data_source`."""


def source_title(source: str) -> str:
    """A `data_source` for people; contributors are named."""
    if source.startswith(CONTRIBUTOR_PREFIX):
        return f"Contributed by {source.removeprefix(CONTRIBUTOR_PREFIX)}"
    return SOURCES.get(source, source)


@dataclass(frozen=True)
class Sentence:
    """What a query says, and the query. lines: one per row that it names; none if it has no rows.

    not_known: columns that are NULL where a row cannot be said without them; such a row has no line.
    """

    name: str
    query: str
    lines: tuple[str, ...]
    needs: str | None
    not_known: tuple[str, ...] = ()

    @property
    def missing(self) -> str | None:
        """What must be measured for what is left out here."""
        if self.needs and not self.lines:
            return self.needs
        if self.not_known:
            return f"{', '.join(self.not_known)} of the sentence {self.name}"
        return None


@dataclass(frozen=True)
class Chapter:
    """A heading with its figures and sentences. definition: explains its words; claims nothing."""

    heading: str
    definition: str | None
    figures: tuple[Drawn, ...]
    sentences: tuple[Sentence, ...]

    @property
    def missing(self) -> list[str]:
        """What must be measured for what is left out here."""
        undrawn = [figure.needs for figure in self.figures if figure.svg is None]
        unsaid = [sentence.missing for sentence in self.sentences]
        return list(dict.fromkeys(needs for needs in (*undrawn, *unsaid) if needs))

    @property
    def is_empty(self) -> bool:
        """Nothing to say, to draw or to measure."""
        return not self.missing and not self.figures and not any(said.lines for said in self.sentences)


@dataclass(frozen=True)
class Drawn:
    """A figure of one source. svg: None where there are no rows; then there are no specifications either."""

    name: str
    title: str
    query: str
    svg: str | None
    needs: str
    specifications: Mapping[str, Mapping[str, Any]]
    csv: str


def page_name(source: str) -> str:
    """File name of a source's page."""
    return f"reading-{source}.html"


def write_reading(
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    catalog: Catalog,
    links: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """Write `reading-<source>.html` for each source with energy, and its figures as SVG, PNG and CSV.

    folder: the site. connection: the publication's marts, in schema `marts`. links: the site's navigation.

    Returns the sources that have a page.
    """
    tasks = {task.value: entry.display_name for task, entry in catalog.tasks.items()}
    sources = sources_with_reading(connection)
    for source in sources:
        drawn = [chapter for chapter in read(connection, source, tasks) if not chapter.is_empty]
        text = render_page(
            "board/reading/page.html",
            data_source=source,
            source_title=SOURCES[source],
            sources=[(name, SOURCES[name], page_name(name)) for name in sources],
            chapters=drawn,
            summary=manifest["summary"],
            links=links,
        )
        (folder / page_name(source)).write_text(text)
        figures = [figure for chapter in drawn for figure in chapter.figures if figure.svg is not None]
        specifications = {figure.name: figure.specifications for figure in figures}
        (folder / f"reading-{source}.js").write_text(figures_script(specifications))
        _write_files(folder / "figures", source, figures)
    if sources:
        write_script(folder)
    return sources


def _write_files(folder: Path, source: str, figures: Iterable[Drawn]) -> None:
    """Each figure as SVG and PNG, its rows as CSV."""
    from expectations.board.reading.figures.figure import standalone

    folder.mkdir(exist_ok=True)
    for figure in figures:
        stem = f"{source}-{figure.name}"
        svg = standalone(figure.svg or "")
        (folder / f"{stem}.svg").write_text(svg)
        (folder / f"{stem}.csv").write_text(figure.csv)
        write_png(svg, folder / f"{stem}.png", PIXELS)


def sources_with_reading(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The sources with measured energy, in the order in which the site names them."""
    return [source for source in SOURCES if _has_energy(connection, source)]


def read(connection: duckdb.DuckDBPyConnection, source: str, tasks: Mapping[str, str]) -> Iterator[Chapter]:
    """The chapters of one source."""
    from expectations.board.reading.unknown import sentence_environment

    environment = sentence_environment(filters(tasks))
    for chapter in chapters():
        names = [chapter[key] for key in ("figure", "second_figure") if key in chapter]
        figures = tuple(_draw(connection, name, source, tasks) for name in names)
        sentences = tuple(_say(connection, entry, source, environment) for entry in chapter["sentences"])
        yield Chapter(chapter["heading"], chapter.get("definition"), figures, sentences)


@cache
def chapters() -> list[dict[str, Any]]:
    """What `chapters.yaml` says, top to bottom."""
    entries: list[dict[str, Any]] = yaml.safe_load((ROOM / "chapters.yaml").read_text())
    return entries


def _draw(connection: duckdb.DuckDBPyConnection, name: str, source: str, tasks: Mapping[str, str]) -> Drawn:
    from expectations.board.reading.figures.figure import drawing

    figure = FIGURES[name]
    rows = figure.rows(connection, source)
    if rows.empty:
        return Drawn(name, figure.title, figure.query(source), None, figure.needs, {}, "")
    layouts = {"wide": theme.WIDE, "narrow": theme.NARROW}
    specifications = {key: figure.specification(rows, tasks, layout) for key, layout in layouts.items()}
    return Drawn(
        name,
        figure.title,
        figure.query(source),
        drawing(specifications["wide"]),
        figure.needs,
        specifications,
        rows.to_csv(index=False),
    )


def _say(
    connection: duckdb.DuckDBPyConnection, entry: Mapping[str, Any], source: str, environment: Environment
) -> Sentence:
    query = sentence_query(entry["query"], source)
    lines, not_known = said(entry, rows_of_query(connection, query), environment)
    return Sentence(entry["query"], query, lines, entry.get("needs"), not_known)


def said(
    entry: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], environment: Environment
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A line per row that can be said, and the columns whose NULL keeps the others from it.

    entry: the sentence in `chapters.yaml`.
    """
    from expectations.board.reading.unknown import NotKnownError, known

    template = environment.from_string(entry.get("one") or entry["all"])
    lines, not_known = [], []
    for row in rows:
        try:
            lines.append(" ".join(template.render(known(row)).split()))
        except NotKnownError as error:
            not_known.append(str(error))
    return tuple(filter(None, lines)), tuple(dict.fromkeys(not_known))


def sentence_query(name: str, source: str) -> str:
    """SQL of a sentence for one data source, as a reader can run it."""
    return reading_query(ROOM / "sentences" / f"{name}.sql", source)


def _has_energy(connection: duckdb.DuckDBPyConnection, source: str) -> bool:
    here = "select table_name from information_schema.tables where table_catalog = current_database()"
    tables = {row[0] for row in connection.execute(here).fetchall()}
    if not needed_marts(QUERIES) <= tables:
        return False
    query = "select count(*) from marts.min_energy_configurations where data_source = ?"
    return bool(connection.execute(query, [source]).fetchall()[0][0])
