"""The living reading of a publication: figures and sentences, each from a query that stands beside it."""

from expectations.board.reading.page import (
    QUERIES,
    SOURCES,
    page_name,
    source_title,
    sources_with_reading,
    write_reading,
)

__all__ = ["QUERIES", "SOURCES", "page_name", "source_title", "sources_with_reading", "write_reading"]
