"""The current publication in a PostgreSQL database, for tools of business intelligence.

One schema, `jouleboard`, is what they read. A copy is one transaction: readers see all of the old
publication, then all of the new one. Tables stay the same objects, and reading never waits for a copy, so
views, dashboards and permissions of others on them survive it. Only where columns differ from those of the
copy before is a table locked for readers, until the end of the transaction. A column or mart that is gone
is dropped, unless a view of others reads it: then it stays, empty, and its comment says so.

    jouleboard.<mart>               every mart, with the comments of its table and columns
    jouleboard.copied_publication   one row: which publication this is

The role `jouleboard_reader` may read the schema and nothing else. It cannot log in by itself: `grant
jouleboard_reader to ...`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import DatabaseUnreachable, PublicationError, SettingsError, one_line
from benchmark_tasks.settings import Settings
from expectations.exports.columns import DATABASE, Mart, described, quoted
from expectations.publications import MANIFEST_FILE, Publication, attached, full_disk_in_duckdb
from expectations.publications.database import literal

if TYPE_CHECKING:
    import duckdb
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

VARIABLE = "JOULEBOARD_PUBLISH_TO"
SCHEMA = "jouleboard"
STATE = "copied_publication"
AGAIN = "`jouleboard export postgresql` copies it"
CONNECT_SECONDS = 10
LOCK_SECONDS = 30
"""How long a copy waits for readers that hold a table whose columns change."""
COPY_SECONDS = 600

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,50}")
_PORTS = re.compile(r"[0-9,]*")
_ADDRESS = "postgresql://USER:PASSWORD@HOST/DATABASE (in a password write %40 for @, %2F for /, %23 for #)"
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "numeric",
    "UTINYINT": "smallint",
    "USMALLINT": "integer",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric",
    "UHUGEINT": "numeric",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}
"""PostgreSQL's names, as its catalog has them, by DuckDB's."""

_COMMENTS = """
select relname, null, coalesce(obj_description(oid, 'pg_class'), '')
from pg_class where relnamespace = %s::regnamespace and relkind = 'r'
union all
select relname, attname, coalesce(col_description(attrelid, attnum), '')
from pg_attribute inner join pg_class on attrelid = pg_class.oid
where relnamespace = %s::regnamespace and relkind = 'r' and attnum > 0 and not attisdropped
"""
"""Every comment of a schema: table, column or NULL, text."""


@dataclass(frozen=True)
class Target:
    """A database to copy to. `address` may hold a password and is never shown; `name` is for people."""

    address: str = field(repr=False)
    name: str
    schema: str
    password: str | None = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Target | None:
        """The database that the settings name; `None` if they name none.

        Raises:
            SettingsError: it is no address of a PostgreSQL database. The message does not repeat it.
        """
        return cls.parse(settings.publish_to) if settings.publish_to else None

    @classmethod
    def parse(cls, address: str) -> Target:
        """Read `postgresql://[user[:password]@]host[:port]/database[?schema=name&...]`.

        What is not said comes from libpq's own sources: PGPASSWORD, ~/.pgpass, PGSSLMODE, ...
        """
        import psycopg2
        from psycopg2.extensions import parse_dsn

        try:
            parts = urlsplit(address)
            options = [option for option in parts.query.split("&") if option]
            others = [option for option in options if not option.startswith("schema=")]
            dsn = parts._replace(query="&".join(others)).geturl()
            known = parse_dsn(dsn) if _is_clear(parts) else {}
        except (ValueError, psycopg2.Error):
            known = {}
        if not known.get("dbname") or not _PORTS.fullmatch(known.get("port", "")):
            # Outside of the handler: a cause could repeat the password.
            raise SettingsError(f"{VARIABLE} is no address of a database: write {_ADDRESS}")
        schema = next((o.removeprefix("schema=") for o in options if o not in others), SCHEMA)
        if not _SCHEMA_NAME.fullmatch(schema) or schema.startswith("pg_") or schema == "public":
            raise SettingsError(
                f"{VARIABLE}: schema: name one that is Jouleboard's alone: lower-case letters, digits and _"
            )
        host = known.get("host") or known.get("service") or "this machine"
        port = f":{known['port']}" if known.get("port") else ""
        name = f"PostgreSQL {host}{port}/{known['dbname']}, schema {schema}"
        return cls(dsn, one_line(name), schema, known.get("password"))

    @property
    def reader(self) -> str:
        """The role that may read the schema."""
        return f"{self.schema}_reader"


def bring_up_to_date(settings: Settings, publication: Publication, *, always: bool = False) -> str | None:
    """Copy a publication into the database that the settings name, unless it is there already.

    always: copy also what is there already. Returns what was done in one line; `None`: nothing, as no
    database is named or it has this publication.

    Raises:
        SettingsError: the address cannot be used.
        DatabaseUnreachable: the database does not answer, or readers hold a table.
        PublicationError: the database refuses. In each case readers keep the last copy.
    """
    target = Target.of(settings)
    if target is None:
        return None
    digest = sha256(publication.path / MANIFEST_FILE)
    with _errors_in_one_line(target, publication), closing(_connected(target)) as database:
        if not always and _copied_digest(database, target) == digest:
            return None
        notes = _copy(database, target, publication, digest)
    rows = sum(publication.rows.values())
    counts = f"{len(publication.rows)} marts, {rows:,} rows"
    return "; ".join([f"copied publication {publication.number} to {target.name}: {counts}", *notes])


def _is_clear(parts: SplitResult) -> bool:
    """Whether no part of a password can be taken for a host or a database, which are shown."""
    return (
        parts.scheme in ("postgresql", "postgres")
        and parts.netloc.count("@") <= 1
        and "@" not in parts.path
        and parts.path.count("/") == 1
        and not parts.fragment
    )


@contextmanager
def _errors_in_one_line(target: Target, publication: Publication) -> Iterator[None]:
    import psycopg2
    from psycopg2 import errors

    try:
        yield
    except psycopg2.Error as error:
        why = one_line(error)
        if target.password:
            why = why.replace(target.password, "***")
        if isinstance(error, errors.LockNotAvailable):
            why = f"for {LOCK_SECONDS} s readers held a table whose columns change"
        line = (
            f"publication {publication.number} is current, but not copied to {target.name}: {why[:400]};"
            f" readers there keep the last copy; when it is mended, {AGAIN}"
        )
        passes = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
        raise (DatabaseUnreachable if passes else PublicationError)(line) from None


def _connected(target: Target) -> Connection:
    import psycopg2

    return psycopg2.connect(
        target.address,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=CONNECT_SECONDS * 3000,
        keepalives_idle=CONNECT_SECONDS,
        application_name="jouleboard",
    )


def _copied_digest(database: Connection, target: Target) -> str | None:
    """SHA-256 of the manifest of the publication that is there; `None` if none is."""
    with database, database.cursor() as cursor:
        if not _is_there(cursor, target.schema, STATE):
            return None
        cursor.execute(f"select manifest_sha256 from {target.schema}.{STATE}")
        row = cursor.fetchone()
        return None if row is None else str(row[0])


def _copy(database: Connection, target: Target, publication: Publication, digest: str) -> list[str]:
    """Copy all marts in one transaction; returns what a person should know."""
    with (
        database,  # commits, or rolls back after an error
        database.cursor() as cursor,
        attached(**{DATABASE: publication.database}) as source,
        tempfile.TemporaryDirectory(prefix="jouleboard-copy-") as spill,
        full_disk_in_duckdb(Path(spill)),
    ):
        source.execute("set timezone = 'UTC'")
        cursor.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'")
        cursor.execute(f"set local statement_timeout = '{COPY_SECONDS}s'")
        cursor.execute("set local datestyle = 'ISO'; set local timezone = 'UTC'")
        cursor.execute("set local client_encoding = 'UTF8'")
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"jouleboard {target.schema}"])
        before = _prepare_schema(cursor, target)
        notes = _prepare_reader(cursor, target)
        marts = [described(source, name) for name in sorted(publication.rows)]
        for mart in marts:
            notes += _prepare_table(cursor, target, mart, is_ours=mart.name in before)
            _fill(cursor, target, mart, source, Path(spill))
        kept = _drop_gone(cursor, target, before - publication.rows.keys())
        _write_state(cursor, target, publication, digest, kept)
        _comment(cursor, target, marts, kept)
        _grant(cursor, target, [STATE, *(mart.name for mart in marts)])
        return [*notes, *kept.values()]


def _prepare_schema(cursor: Cursor, target: Target) -> set[str]:
    """Make the schema if it is not there; returns the names of the marts that the last copy left.

    Raises:
        PublicationError: the schema has tables of others.
    """
    schema = target.schema
    cursor.execute("select 1 from pg_namespace where nspname = %s", [schema])
    if cursor.fetchone() is None:
        cursor.execute(f"create schema {schema}")
    if _is_there(cursor, schema, STATE):
        cursor.execute(f"select marts from {schema}.{STATE}")
        return set(*(cursor.fetchone() or [[]]))
    cursor.execute(
        "select relname from pg_class where relnamespace = %s::regnamespace order by 1 limit 1", [schema]
    )
    if other := cursor.fetchone():
        raise PublicationError(
            f"{target.name} holds something of others ({other[0]}): name a schema that is Jouleboard's alone"
            f" in {VARIABLE} (?schema=NAME); nothing was changed"
        )
    cursor.execute(
        f"create table {schema}.{STATE} (publication_number integer not null, published_at timestamptz not"
        " null, copied_at timestamptz not null, manifest_sha256 text not null, marts text[] not null)"
    )
    return set()


def _prepare_reader(cursor: Cursor, target: Target) -> list[str]:
    """Make the role that may read, if this login may; returns what a person should know."""
    from psycopg2 import errors

    if not _has_reader(cursor, target):
        cursor.execute("savepoint role")
        try:
            cursor.execute(f"create role {target.reader} nologin")
        except errors.InsufficientPrivilege:
            cursor.execute("rollback to savepoint role")
            return [f"this login may not make the role {target.reader}: create it, then {AGAIN} again"]
    cursor.execute(f"grant usage on schema {target.schema} to {target.reader}")
    return []


def _grant(cursor: Cursor, target: Target, names: Iterable[str]) -> None:
    """Let the reader read these tables, if there is one."""
    if _has_reader(cursor, target):
        tables = ", ".join(f"{target.schema}.{quoted(name)}" for name in names)
        cursor.execute(f"grant select on {tables} to {target.reader}")


def _has_reader(cursor: Cursor, target: Target) -> bool:
    cursor.execute("select 1 from pg_roles where rolname = %s", [target.reader])
    return cursor.fetchone() is not None


def _prepare_table(cursor: Cursor, target: Target, mart: Mart, *, is_ours: bool) -> list[str]:
    """Empty the table of a mart, with exactly its columns; a new one if there is none."""
    table = f"{target.schema}.{quoted(mart.name)}"
    wanted = {column.name: _type(column.kind) for column in mart.columns}
    if not _is_there(cursor, target.schema, mart.name):
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in wanted.items())
        cursor.execute(f"create table {table} ({columns})")
        return []
    if not is_ours:
        raise PublicationError(
            f"{target.name} has a {mart.name} that is not Jouleboard's: rename it; nothing was changed"
        )
    cursor.execute(f"delete from {table}")
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        [table],
    )
    present = dict(cursor.fetchall())
    notes = []
    for name in present.keys() - wanted.keys():
        if used_by := _unless_used(cursor, f"alter table {table} drop column {quoted(name)}"):
            notes.append(f"{mart.name}.{name} is no longer published; it stays, empty, as {used_by}")
    for name, kind in wanted.items():
        if name not in present:
            cursor.execute(f"alter table {table} add column {quoted(name)} {kind}")
        elif present[name] != kind:
            change = f"alter column {quoted(name)} type {kind} using null"
            if used_by := _unless_used(cursor, f"alter table {table} {change}"):
                raise PublicationError(
                    f"{target.name}: the type of {mart.name}.{name} is now {kind}, not {present[name]}, but"
                    f" {used_by}: drop that view, then {AGAIN}; readers there keep the last copy"
                )
    return notes


def _unless_used(cursor: Cursor, statement: str) -> str | None:
    """Run a statement unless views of others forbid it; returns what PostgreSQL says of them."""
    from psycopg2 import errors

    cursor.execute("savepoint change")
    try:
        cursor.execute(statement)
    except (errors.DependentObjectsStillExist, errors.FeatureNotSupported) as error:
        cursor.execute("rollback to savepoint change")
        return one_line(error.diag.message_detail or error.diag.message_primary)
    return None


def _fill(cursor: Cursor, target: Target, mart: Mart, source: duckdb.DuckDBPyConnection, spill: Path) -> None:
    path = spill / "rows.csv"
    values = ", ".join(
        f"{_value(column.name, column.kind)} as {quoted(column.name)}" for column in mart.columns
    )
    source.execute(
        f"copy (select {values} from {mart.relation}) to {literal(path)} (format csv, header false)"
    )
    names = ", ".join(quoted(column.name) for column in mart.columns)
    with path.open("rb") as rows:
        cursor.copy_expert(
            f"copy {target.schema}.{quoted(mart.name)} ({names}) from stdin (format csv)", rows
        )
    path.unlink()


def _drop_gone(cursor: Cursor, target: Target, gone: set[str]) -> dict[str, str]:
    """Drop marts that this publication does not have; returns those that stay, each with why."""
    kept = {}
    for name in sorted(gone):
        table = f"{target.schema}.{quoted(name)}"
        if used_by := _unless_used(cursor, f"drop table if exists {table}"):
            cursor.execute(f"delete from {table}")
            kept[name] = f"{name} is no longer published; it stays, empty, as {used_by}"
    return kept


def _write_state(
    cursor: Cursor, target: Target, publication: Publication, digest: str, kept: Iterable[str]
) -> None:
    cursor.execute(f"delete from {target.schema}.{STATE}")
    cursor.execute(
        f"insert into {target.schema}.{STATE} values (%s, %s, now(), %s, %s)",
        [publication.number, publication.published_at, digest, sorted({*publication.rows, *kept})],
    )


def _comment(cursor: Cursor, target: Target, marts: Iterable[Mart], kept: Iterable[str]) -> None:
    """Set the comments that differ: of tables, of their columns, and of columns that stay empty."""
    of_state = {
        None: "Which publication this schema holds. One row.",
        "publication_number": "Number of the publication.",
        "published_at": "When it was published.",
        "copied_at": "When it was copied into this database.",
        "manifest_sha256": "SHA-256 of its manifest.json.",
        "marts": "The tables of this schema that the copy made.",
    }
    wanted: dict[tuple[str, str | None], str] = {(STATE, column): text for column, text in of_state.items()}
    for mart in marts:
        wanted[mart.name, None] = mart.description
        wanted |= {(mart.name, column.name): column.description for column in mart.columns}
    cursor.execute(_COMMENTS, [target.schema] * 2)
    present = {(table, column): text for table, column, text in cursor.fetchall()}
    ours = {table for table, _ in wanted} | set(kept)
    empty = "No longer published, so it is empty; it stays because a view reads it."
    wanted |= {name: empty for name in present.keys() - wanted.keys() if name[0] in ours}
    for (table, column), text in wanted.items():
        if present[table, column] == text:
            continue
        what = f"{target.schema}.{quoted(table)}"
        what = f"table {what}" if column is None else f"column {what}.{quoted(column)}"
        cursor.execute(f"comment on {what} is %s", [text or None])


def _is_there(cursor: Cursor, schema: str, name: str) -> bool:
    cursor.execute(
        "select 1 from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace"
        " where nspname = %s and relname = %s",
        [schema, name],
    )
    return cursor.fetchone() is not None


def _type(kind: str) -> str:
    """PostgreSQL's type for a DuckDB type; what it has no counterpart for is JSON."""
    if kind.endswith("[]"):
        element = _TYPES.get(kind.removesuffix("[]"))
        return f"{element}[]" if element else "jsonb"
    if kind.startswith("DECIMAL("):
        return kind.replace("DECIMAL", "numeric").replace(" ", "")
    return _TYPES.get(kind, "jsonb")


def _value(name: str, kind: str) -> str:
    """A column in DuckDB's SQL, as text that PostgreSQL reads as its type."""
    column, wanted = quoted(name), _type(kind)
    if wanted == "jsonb":
        return f"to_json({column})"
    if not wanted.endswith("[]"):
        return column
    element = r"""'"' || replace(replace(v::varchar, '\', '\\'), '"', '\"') || '"'"""
    listed = f"array_to_string(list_transform({column}, lambda v: coalesce({element}, 'NULL')), ',')"
    return f"case when {column} is not null then '{{' || {listed} || '}}' end"
