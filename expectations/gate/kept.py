"""What is known of bundles from earlier refreshes: Parquet files in the warehouse, with rows under a key.

A key changes with the bundle's files and with the code that reads them, so a row is never of something else.
Tables that belong together are one folder, `<number>/`, with the SHA-256 of each: a folder becomes the
newest one when it is whole on the disk. Tables that are lost, damaged, of another version, or not as a
refresh wrote them count as empty: everything is read again.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import stat
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks import disk

log = logging.getLogger("jouleboard.kept")

FOLDER = "kept"
"""In the warehouse."""
SUMS_FILE = "SHA256SUMS"
KEY = "key"
_DIGITS = 16
"""Of the part of a key that says which code read the files."""

_ROWS = 1000

_KINDS: dict[Any, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    tuple[int, ...]: pa.list_(pa.int64()),
}


def schema_of(kind: type) -> pa.Schema:
    """The columns of a dataclass of numbers, texts and tuples of integers, each of which may be `None`."""
    hints = typing.get_type_hints(kind)
    return pa.schema([(field.name, _KINDS[_without_none(hints[field.name])]) for field in fields(kind)])


def require_fits(row: Mapping[str, Any], schema: pa.Schema) -> None:
    """Refuse a row that cannot be kept; among others it would take them with it.

    Raises:
        Exception: of pyarrow or Python; many kinds of values have one of their own.
    """
    pa.Table.from_pylist([row], schema=schema)


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) is not types.UnionType:
        return hint
    (known,) = (part for part in typing.get_args(hint) if part is not type(None))
    return known


class Kept:
    """Rows by key: those that an earlier call kept, of which some are needed again, and new ones."""

    def __init__(self, warehouse: Path, name: str, schema: pa.Schema) -> None:
        self._home, self._name = warehouse / FOLDER / name, name
        self._schema = pa.schema([(KEY, pa.string()), *schema])
        newest = read_newest(self._home, name, self._schema)
        self.known = self._schema.empty_table() if newest is None else newest
        self._places = {key: place for place, key in enumerate(self.known[KEY].to_pylist())}
        self._again: list[int] = []
        self._new: list[dict[str, Any]] = []
        self._tables: list[pa.Table] = []

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def again(self, key: str) -> None:
        """A known row is needed."""
        self._again.append(self._places[key])

    def at(self, place: int) -> dict[str, Any]:
        """A known row, by its place in the table."""
        row: dict[str, Any] = self.known.slice(place, 1).to_pylist()[0]
        return row

    def add(self, key: str | None, row: Mapping[str, Any]) -> None:
        """A new row; without a key it is not kept for the next time."""
        self._new.append({**row, KEY: key})
        if len(self._new) == _ROWS:
            self._settle()

    def _settle(self) -> None:
        """Rows as a table take a tenth of the memory."""
        self._tables.append(pa.Table.from_pylist(self._new, schema=self._schema))
        self._new = []

    def keep(self) -> pa.Table:
        """Every row that is needed, in the order of ids; the next call knows them.

        They are only written if they are others. The object is of no use afterwards: 100,000 rows that are
        as they were are not copied, and what is not needed any more takes no memory.

        Raises:
            DiskFull: nothing was changed.
        """
        self._settle()
        table, again, known = self.known, len(self._again), self.known.num_rows
        if again != known:
            table = table.take(pa.array(self._again, pa.int64()))
        if self._tables:
            table = pa.concat_tables([table, *self._tables])
        del self.known, self._places, self._again, self._tables
        table = _by_run(table)
        kept = table.filter(pc.is_valid(table[KEY])) if table[KEY].null_count else table
        if kept.num_rows != known or kept.num_rows != again:
            write_next(self._home, self._name, kept)
        return table


def _by_run(table: pa.Table) -> pa.Table:
    """In the order of ids: kept rows are, so that nothing is copied where none came."""
    ids = table["run_id"].combine_chunks()
    in_order = pc.all(pc.less_equal(ids[:-1], ids[1:]), min_count=0).as_py()
    return table if in_order else table.sort_by("run_id")


@contextmanager
def next_tables(home: Path) -> Iterator[Path]:
    """A folder for tables, which becomes the newest one when they are on the disk, or never.

    Raises:
        DiskFull: nothing was changed.
    """
    beside = home / f".{os.getpid()}"
    with disk.disk_full_is_an_error(home):
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            yield beside
            (beside / SUMS_FILE).write_text(_sums(beside))
            for file in beside.iterdir():
                disk.sync(file)
            numbers = _become_newest(beside, home)
            disk.sync(home)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    for number in numbers:
        shutil.rmtree(home / str(number), ignore_errors=True)


def write_next(home: Path, name: str, table: pa.Table) -> None:
    """A folder with one table, which `read_newest` reads. Its texts all differ: no dictionary is written.

    Raises:
        DiskFull: nothing was changed.
    """
    with next_tables(home) as folder:
        pq.write_table(table, folder / _file(name), compression="lz4", use_dictionary=False)


def _become_newest(beside: Path, home: Path) -> list[int]:
    """Rename a folder to the next number; returns those before. Another process may take a number first."""
    while True:
        numbers = _numbers(home)
        try:
            beside.rename(home / str(max(numbers, default=0) + 1))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return numbers


def read_newest(home: Path, name: str, schema: pa.Schema) -> pa.Table | None:
    """The table of that name in the newest folder; `None` as for `newest_tables`.

    Another process may replace the folder at any moment: then there is a newer one.
    """
    while True:
        folder = newest_tables(home, {name: schema})
        if folder is None:
            return None
        try:
            return pq.read_table(folder / _file(name))
        except FileNotFoundError:
            if _is_newest(folder):
                raise


def newest_tables(home: Path, schemas: Mapping[str, pa.Schema]) -> Path | None:
    """The newest folder; `None` if there is none, or if it is not as it was written or of other columns."""
    while _numbers(home):
        folder = newest_folder(home)
        try:
            whole = (folder / SUMS_FILE).read_text() == _sums(folder)
            own = {name: pq.read_schema(folder / _file(name)) for name in schemas} if whole else {}
        except (OSError, ValueError, pa.ArrowException):
            whole = False
        if whole:
            return folder if all(own[name].equals(schema) for name, schema in schemas.items()) else None
        if _is_newest(folder):  # otherwise another process has put a newer one in its place
            log.warning("%s: damaged, or changed by something else; its content is worked out again", folder)
            return None
    return None


def newest_folder(home: Path) -> Path:
    """The newest folder, whose tables are not looked at. There is one."""
    return home / str(_numbers(home)[-1])


def _is_newest(folder: Path) -> bool:
    return _numbers(folder.parent)[-1:] == [int(folder.name)]


def _numbers(home: Path) -> list[int]:
    return sorted(int(path.name) for path in home.glob("[0-9]*") if path.name.isdigit())


def _file(name: str) -> str:
    return f"{name}.parquet"


def _sums(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.name != SUMS_FILE)
    return "".join(f"{disk.sha256(folder / name)}  {name}\n" for name in names)


def code_beside(module: ModuleType) -> list[Path]:
    """The files of the package that a module is, or is in."""
    return sorted(Path(str(module.__file__)).parent.glob("*.py"))


@lru_cache
def code_version(*sources: Path) -> str:
    """Changes with the files that read bundles."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:_DIGITS]


def state_of(directory: Path) -> str | None:
    """Changes when a file of a bundle is written, comes, goes, or gets other permissions.

    The time of change tells also of a file whose time of modification was set back.

    Nothing is opened. `None` if that cannot be said now, or if something in it is no plain file.
    """
    parts = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode):
                    return None
                parts.append(f"{entry.name},{facts.st_size},{facts.st_mtime_ns},{facts.st_ctime_ns}")
    except OSError:
        return None
    parts.sort()
    return hashlib.sha256(f"{directory};{';'.join(parts)}".encode()).hexdigest()[:32]
