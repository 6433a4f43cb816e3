"""Numbered publications: read, publish, roll back, verify, query.

from expectations.publications import current, query
"""

from expectations.publications.database import attached, disk_full, full_disk_in_duckdb
from expectations.publications.marts import DATABASE_FILE, MART_SCHEMA, PARQUET_FOLDER, write_marts
from expectations.publications.queries import QUERY_SECONDS, Table, open_publication, query
from expectations.publications.store import (
    CURRENT,
    EVENTS_FILE,
    KEPT,
    MANIFEST_FILE,
    SITE_FOLDER,
    Publication,
    all_publications,
    current,
    current_number,
    events,
    history,
    hold_lock,
    incoming_folder,
    newest,
    next_number,
    publish,
    publishing,
    read,
    require_current,
    retire,
    roll_back,
    verify,
)

__all__ = [
    "CURRENT",
    "DATABASE_FILE",
    "EVENTS_FILE",
    "KEPT",
    "MANIFEST_FILE",
    "MART_SCHEMA",
    "PARQUET_FOLDER",
    "QUERY_SECONDS",
    "SITE_FOLDER",
    "Publication",
    "Table",
    "all_publications",
    "attached",
    "current",
    "current_number",
    "disk_full",
    "events",
    "full_disk_in_duckdb",
    "history",
    "hold_lock",
    "incoming_folder",
    "newest",
    "next_number",
    "open_publication",
    "publish",
    "publishing",
    "query",
    "read",
    "require_current",
    "retire",
    "roll_back",
    "verify",
    "write_marts",
]
