"""A mart as a refresh would publish it now: gated and built aside, read, and thrown away."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_tasks import catalog as catalogs
from benchmark_tasks.catalog import Catalog
from benchmark_tasks.disk import disk_full_is_an_error
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.candidate import inputs
from expectations.candidate.build import INPUTS_FOLDER, PROJECT, build
from expectations.gate import intake
from expectations.gate.auditor import Auditor
from expectations.gate.intake import Intake
from expectations.refresh import judge_runs

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("jouleboard.mart_now")

WAIT_SECONDS = 600.0
"""How long a refresh that is running is waited for."""


@contextmanager
def mart_now(
    settings: Settings, mart: str, *, say: Callable[[str], None] = log.info, project: Path = PROJECT
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a mart (in schema `marts`) with every run that has landed, as the gate judges it now.

    What a DAG must know before the next publication: whether a release changed anything. Nothing is
    published, and the mart is not audited. What it does not need is not built: a fifth of dbt's time is left.
    Nothing is built if the newest publication is of exactly these runs.

    Raises:
        PublisherBusy: a refresh runs for longer than ten minutes. BuildError: dbt failed. DiskFull.
        PublicationError: the newest publication cannot be read.
    """
    with publications.hold_lock(settings.warehouse / ".lock", "a refresh", WAIT_SECONDS):
        landed, catalog = intake.read(settings), catalogs.load(overlay=settings.catalog)
        newest = publications.newest(settings)
        if newest and newest.manifest.get("inputs_digest") == inputs.digest(settings, landed, catalog):
            with publications.open_publication(newest) as connection:
                yield connection
            return
        with _built(settings, landed, catalog, mart, say, project) as connection:
            yield connection


@contextmanager
def _built(
    settings: Settings, landed: Intake, catalog: Catalog, mart: str, say: Callable[[str], None], project: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The mart, built from what has landed. The caller holds the lock."""
    import duckdb

    folder = _folder(settings)
    try:
        _, verdicts = judge_runs(Auditor(), settings, landed, catalog)
        past = publications.history(settings)
        inputs.write(folder / INPUTS_FOLDER, settings, landed, catalog, verdicts, history=past)
        say(f"building {mart} with dbt, to be read and not published")
        built = build(folder, project=project, unit_tests=False, only=mart)
        with closing(duckdb.connect(str(built.database), read_only=True)) as connection:
            connection.execute(f"set schema = '{publications.MART_SCHEMA}'")
            yield connection
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(settings: Settings) -> Path:
    """A folder that the next refresh removes if this process is killed."""
    with disk_full_is_an_error(settings.warehouse):
        return Path(tempfile.mkdtemp(prefix="now-", dir=settings.warehouse))
