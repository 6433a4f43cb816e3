"""dbt builds the candidate: one invocation in this process; a failure is one line."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmark_tasks.errors import BuildError, JouleboardError, one_line
from benchmark_tasks.results import identity
from expectations.candidate import parsed
from expectations.gate import report
from expectations.publications.database import NO_SPACE, disk_full, full_disk_in_duckdb

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
CANDIDATE_FILE = "candidate.duckdb"
INPUTS_FOLDER = "inputs"
TARGET_FOLDER = "target"
DOCS = Path(TARGET_FOLDER) / "static_index.html"
_PLAIN = re.compile(r"[A-Za-z0-9_./+,@=-]+")
ROW_NAMES = (
    "run_id",
    "data_source",
    "model_id",
    "task",
    "num_gpus",
    "gpu_model",
    "batch_size",
    "runtime_version",
)
"""Columns that name a row; if it has none of them, its first `FEW_COLUMNS` columns do."""
FEW_COLUMNS = 4

_ONLY = ("--indirect-selection", "buildable", "--no-write-json")
"""Of one mart: it has no docs, and to write the manifest for them as JSON takes a tenth of its time."""

MESSAGE_CHARACTERS = 500
"""Longest part of a message of dbt that is kept."""


@dataclass(frozen=True)
class NodeResult:
    """One dbt node: a model, a test or a seed."""

    name: str
    kind: str
    status: str
    seconds: float


@dataclass(frozen=True)
class BuildResult:
    """Result of dbt's build. `docs`: the documentation as one file, or `None` if it could not be written."""

    database: Path
    nodes: tuple[NodeResult, ...]
    docs: Path | None

    def count(self, kind: str) -> int:
        """Nodes of one kind (`model`, `test`, `unit_test`, ...)."""
        return sum(node.kind == kind for node in self.nodes)


def build(
    candidate: Path, *, project: Path = PROJECT, unit_tests: bool = True, only: str | None = None
) -> BuildResult:
    """Run `dbt build` on `<candidate>/inputs` into `<candidate>/candidate.duckdb`, then its docs.

    unit_tests: also dbt's unit tests. They test the SQL, not the data, so a refresh leaves them to
        the test suite. only: the one mart to build, with what it needs and the tests of these, without docs.

    Raises:
        BuildError: names the first node that failed, and dbt's message.
    """
    from dbt.cli.main import dbtRunner

    if not (project / "dbt_project.yml").is_file():
        raise BuildError(f"{project}: no dbt project here; run from a complete clone")
    with _plain_path(candidate) as plain, _dbt_environment(plain / CANDIDATE_FILE):
        try:
            runner = dbtRunner(_parsed(candidate, plain, project))
            skipped = () if unit_tests else ("--exclude-resource-type", "unit_test")
            chosen = () if only is None else (*_ONLY, "--select", f"+{only}")
            outcome = runner.invoke(["build", *skipped, *chosen, *_arguments(plain, project)])
            nodes = _nodes(outcome)
            if not outcome.success:
                raise _failure(_first_failure(outcome, candidate), candidate)
            has_docs = only is None and _writes_docs(runner, plain, project)
        finally:
            _close_connections()
    _checkpoint(candidate / CANDIDATE_FILE)
    return BuildResult(candidate / CANDIDATE_FILE, nodes, candidate / DOCS if has_docs else None)


def _parsed(candidate: Path, plain: Path, project: Path) -> Manifest:
    """The project as dbt has parsed it, now or for an earlier candidate."""
    from dbt.cli.main import dbtRunner

    kept = parsed.place(project)
    manifest = parsed.read(kept)
    if manifest is None:
        outcome = dbtRunner().invoke(["parse", *_arguments(plain, project)])
        if not outcome.success:
            raise _failure(_first_failure(outcome, candidate), candidate)
        manifest = cast("Manifest", outcome.result)
        parsed.keep(manifest, kept)
    parsed.locate(manifest, plain / INPUTS_FOLDER)
    if plain != candidate:
        parsed.tables_only(manifest)
    return manifest


def _arguments(candidate: Path, project: Path) -> list[str]:
    return [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(candidate / TARGET_FOLDER),
        "--log-path",
        str(candidate / "logs"),
        "--log-level-file",
        "info",  # a line for each step of each node would take a fourteenth of the build's processor time
        "--vars",
        json.dumps({"inputs": parsed.INPUTS, **identity.dbt_variables()}),
        "--log-level",
        "none",  # a failure is in the result; to format what nobody is shown takes a twentieth of the time
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-partial-parse",
    ]


def _writes_docs(runner: Any, candidate: Path, project: Path) -> bool:
    """Write the documentation as one file; returns whether it is there. It is not needed to publish."""
    outcome = runner.invoke(["docs", "generate", "--static", "--no-compile", *_arguments(candidate, project)])
    return bool(outcome.success) and (candidate / DOCS).is_file()


@contextmanager
def _plain_path(candidate: Path) -> Iterator[Path]:
    """The candidate by a path in which nothing means something to SQL, Jinja, YAML or a glob pattern.

    dbt writes its paths into SQL unquoted, and DuckDB reads `[`, `*` and `?` in them as patterns.
    """
    if _PLAIN.fullmatch(str(candidate)):
        yield candidate
        return
    usual = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="jouleboard-build-", dir=usual if _PLAIN.fullmatch(usual) else "/tmp"
    ) as folder:
        link = Path(folder) / "candidate"
        link.symlink_to(candidate)
        yield link


@contextmanager
def _dbt_environment(database: Path) -> Iterator[None]:
    """dbt reads its profile's database from the environment: set it for this invocation only.

    Errors of logging itself are switched off: with a full disk they would hide the line that says so.
    """
    values = {"JOULEBOARD_CANDIDATE_DB": str(database), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    raised, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = raised
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _nodes(outcome: Any) -> tuple[NodeResult, ...]:
    return tuple(
        NodeResult(
            result.node.name, str(result.node.resource_type), str(result.status), result.execution_time
        )
        for result in getattr(outcome.result, "results", None) or ()
    )


def _failure(line: str, candidate: Path) -> JouleboardError:
    return disk_full(candidate.parent) if NO_SPACE in line else BuildError(line)


def _first_failure(outcome: Any, candidate: Path) -> str:
    log = candidate / "logs" / "dbt.log"
    for result in getattr(outcome.result, "results", None) or ():
        if str(result.status) in ("error", "fail", "runtime error"):
            message = one_line(result.message or "failed")[:MESSAGE_CHARACTERS]
            message += _failing_rows(result, candidate)
            return f"dbt {result.node.resource_type} {result.node.name}: {message} (whole log: {log})"
    message = one_line(outcome.exception or "failed without a message")[:MESSAGE_CHARACTERS]
    return f"dbt: {message} (whole log: {log})"


def _failing_rows(result: Any, candidate: Path) -> str:
    """The first failing rows of a data test, named for people; empty for other nodes."""
    import duckdb

    if result.node.resource_type != "test" or not result.failures:
        return ""
    _close_connections()
    with suppress(duckdb.Error), duckdb.connect(str(candidate / CANDIDATE_FILE)) as connection:
        connection.execute(f"select * from ({result.node.compiled_code}) limit {report.NAMED}")
        columns = [column for column, *_ in connection.description]
        shown = [name for name in ROW_NAMES if name in columns] or columns[:FEW_COLUMNS]
        rows = [dict(zip(columns, row, strict=True)) for row in connection.fetchall()]
        names = [", ".join(f"{name}={row[name]}" for name in shown if row[name] is not None) for row in rows]
        return f"; {result.failures} rows: {one_line(report.a_few(names, result.failures))}"
    return ""


def _close_connections() -> None:
    """dbt-duckdb keeps its database open for the life of the process; auditing needs the file free."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager as Manager
    from dbt.adapters.factory import reset_adapters

    reset_adapters()
    with Manager._LOCK:
        environment: Any = Manager._ENV
        if environment is not None:
            environment.close()
            Manager._ENV = None


def _checkpoint(database: Path) -> None:
    """Merge the write-ahead log into the database file."""
    import duckdb

    with full_disk_in_duckdb(database.parent.parent), duckdb.connect(str(database)) as connection:
        connection.execute("checkpoint")
    if database.with_name(database.name + ".wal").exists():
        raise BuildError(f"{database}: its write-ahead log was not merged into it; run the refresh again")
