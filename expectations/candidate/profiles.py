"""What a bundle's own files draw: power, lengths of answers, latencies of an open loop, verdicts on answers.

A bundle never changes, so its profile is worked out once. The rows of all bundles are kept as tables
(`gate/kept.py`), with a key per bundle: of its checksums and of the code that reads it. A new bundle adds its
rows to a copy of the tables, of which only a piece is in memory.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks.errors import BundleError, JouleboardError, one_line
from benchmark_tasks.grading import Verdict
from benchmark_tasks.results import bundle, cold
from benchmark_tasks.results.tables import Series
from benchmark_tasks.vocabulary import Architecture
from expectations.gate.kept import FOLDER, code_version, newest_folder, newest_tables, next_tables
from expectations.prices import work as work_of_windows
from expectations.prices.work import COLUMNS as WORK_COLUMNS
from expectations.prices.work import work_between

log = logging.getLogger("jouleboard.profiles")

PROFILES = "profiles"
KEYS = "keys"
KEYS_SCHEMA = pa.schema({"run_id": pa.string(), "key": pa.string()})
INTERVALS = 120
"""A run's power is kept as means over so many intervals of equal length."""
MOST_BINS = 64
"""Lengths of answers are counted in at most so many bins. Their width is a power of two, so that those of
repeats add up."""

POWER = pa.schema(
    {
        "run_id": pa.string(),
        "start_seconds": pa.float64(),
        "end_seconds": pa.float64(),
        "mean_power_watts": pa.float64(),
    }
)
"""One row per run and interval; seconds after the start of the load; power summed over the run's GPUs."""

LENGTHS = pa.schema(
    {
        "run_id": pa.string(),
        "bin_start_tokens": pa.int64(),
        "bin_end_tokens": pa.int64(),
        "responses": pa.int64(),
    }
)
"""One row per run and bin that has a response: lengths from `bin_start_tokens` to below `bin_end_tokens`."""


LATENCIES = pa.schema(
    {
        "run_id": pa.string(),
        "sent_seconds": pa.float64(),
        "ttft_ms": pa.float64(),
        "tpot_ms": pa.float64(),
    }
)
"""One row per completed request of an open loop; `sent_seconds` after the start of the load. `tpot_ms`: mean
time per token after the first one, NULL with one token."""


GRADED_ANSWERS = pa.schema(
    {
        "run_id": pa.string(),
        "request_index": pa.int64(),
        "is_right": pa.bool_(),
        "output_tokens": pa.int64(),
    }
)
"""One row per graded answer; `request_index` is the question's place in the request set."""


WINDOW_WORK = pa.schema(
    {
        "run_id": pa.string(),
        "prefill_tokens": pa.float64(),
        "prefill_pairs": pa.float64(),
        "idle_seconds": pa.float64(),
    }
)
"""One row per run of a text task with a settled window: what the server did in it beside decoding."""


WINDOW_DECODING = pa.schema(
    {
        "run_id": pa.string(),
        "answers_in_flight": pa.int64(),
        "decode_tokens": pa.float64(),
        "context_tokens": pa.float64(),
    }
)
"""One row per such run and number of answers in flight: tokens after the first ones, and tokens held before
each of them, added up."""


@dataclass(frozen=True)
class Profile:
    """A run's power over time, its lengths of answers, and so on; empty where its files do not say.

    start_seconds, interval_seconds: the first interval and the length of each.
    power_watts: means over the intervals; `None` where a GPU has no sample.
    bin_tokens: width of a bin. responses: completed requests by bin, from zero tokens on.
    latencies: of each completed request of an open loop: when it was sent, its time to the first token in ms,
        and its mean time per token after it in ms.
    verdicts: of each graded answer: its request, whether it is right, and its length in tokens.
    work: tokens of prompts read in the window, pairs of them, idle seconds; empty if it is not known.
    decoding: answers in flight, tokens decoded meanwhile, and tokens held before these.
    """

    run_id: str
    start_seconds: float = 0.0
    interval_seconds: float = 0.0
    power_watts: tuple[float | None, ...] = ()
    bin_tokens: int = 1
    responses: tuple[int, ...] = ()
    latencies: tuple[tuple[float, float, float | None], ...] = ()
    verdicts: tuple[tuple[int, bool, int], ...] = ()
    work: tuple[float, ...] = ()
    decoding: tuple[tuple[int, float, float], ...] = ()

    def power_rows(self) -> list[dict[str, Any]]:
        """Rows of `POWER`."""
        return [
            {
                "run_id": self.run_id,
                "start_seconds": round(self.start_seconds + index * self.interval_seconds, 6),
                "end_seconds": round(self.start_seconds + (index + 1) * self.interval_seconds, 6),
                "mean_power_watts": watts,
            }
            for index, watts in enumerate(self.power_watts)
            if watts is not None
        ]

    def latency_rows(self) -> list[dict[str, Any]]:
        """Rows of `LATENCIES`."""
        return [
            {"run_id": self.run_id, "sent_seconds": sent, "ttft_ms": ttft, "tpot_ms": tpot}
            for sent, ttft, tpot in self.latencies
        ]

    def verdict_rows(self) -> list[dict[str, Any]]:
        """Rows of `GRADED_ANSWERS`."""
        return [
            {"run_id": self.run_id, "request_index": index, "is_right": is_right, "output_tokens": tokens}
            for index, is_right, tokens in self.verdicts
        ]

    def work_rows(self) -> list[dict[str, Any]]:
        """Rows of `WINDOW_WORK`: one, or none."""
        values = zip(WINDOW_WORK.names, (self.run_id, *self.work), strict=True)
        return [dict(values)] if self.work else []

    def decoding_rows(self) -> list[dict[str, Any]]:
        """Rows of `WINDOW_DECODING`."""
        return [dict(zip(WINDOW_DECODING.names, (self.run_id, *part), strict=True)) for part in self.decoding]

    def length_rows(self) -> list[dict[str, Any]]:
        """Rows of `LENGTHS`."""
        return [
            {
                "run_id": self.run_id,
                "bin_start_tokens": index * self.bin_tokens,
                "bin_end_tokens": (index + 1) * self.bin_tokens,
                "responses": count,
            }
            for index, count in enumerate(self.responses)
            if count
        ]


def gather(bundles: Iterable[tuple[str, Path, str | None]], warehouse: Path) -> Path:
    """The folder with the tables of these bundles. Those known from an earlier call are not read again.

    bundles: run id, folder, and the SHA-256 of its checksums (`None`: it is not known, and nothing is kept).
    A bundle that cannot be read at this moment, or not be evaluated, has no rows, and is read again the next
    time.

    Raises:
        LandingZoneUnreachable: a bundle is in cold storage, which does not answer.
        DiskFull: nothing was changed.
    """
    home = warehouse / FOLDER / PROFILES
    known = newest_tables(home, SCHEMAS)
    before = {} if known is None else _keys(known)
    after: dict[str, str] = {}
    new: list[Profile] = []
    for run_id, directory, checksums in bundles:
        key = None if checksums is None else key_of(run_id, checksums)
        if key is not None and before.get(run_id) == key:
            after[run_id] = key
            continue
        try:
            new.append(profile(run_id, directory))
        except OSError:
            continue
        except JouleboardError:
            raise  # of this machine, not of the bundle
        except Exception as error:  # noqa: BLE001  one bundle must not stop the refresh of all
            log.warning(
                "run %s: nothing is drawn of it: %s: %s", run_id, type(error).__name__, one_line(error)
            )
            continue
        after[run_id] = key or ""
    if known is not None and not new and after.keys() == before.keys():
        return known
    with next_tables(home) as folder:
        read = {entry.run_id for entry in new}
        again = [run_id for run_id in after if run_id not in read]
        _write_keys(folder, {run_id: key for run_id, key in after.items() if key})
        write(new, folder)
        if known is not None and again:
            _add(known, again, folder)
    return newest_folder(home)


def profile(run_id: str, directory: Path) -> Profile:
    """Read one bundle. Its files have been verified; a file that it lacks leaves its part empty.

    Raises:
        OSError: a file cannot be read now.
        LandingZoneUnreachable: it is in cold storage, which does not answer.
    """
    with cold.whole(directory) as folder:
        requests = folder / bundle.REQUESTS_FILE
        return Profile(
            run_id,
            **_power(folder / bundle.TIMELINES_FILE),
            **_lengths(requests),
            latencies=_latencies(requests),
            verdicts=_verdicts(folder / bundle.ANSWERS_FILE),
            **_work(folder),
        )


def write(profiles: Iterable[Profile], directory: Path) -> None:
    """Write one table per kind of row for dbt: power, lengths, latencies, verdicts, work of windows."""
    profiles = sorted(profiles, key=lambda entry: entry.run_id)
    for name, (schema, rows_of) in TABLES.items():
        rows = [row for entry in profiles for row in rows_of(entry)]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), directory / f"{name}.parquet")


def stage(tables: Path, directory: Path) -> None:
    """Let dbt's inputs be these tables: as links where the file system has them, else as copies."""
    for name in TABLES:
        source, target = tables / f"{name}.parquet", directory / f"{name}.parquet"
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, target)


def key_of(run_id: str, checksums: str) -> str:
    """Changes with a bundle's checksums and with the code that reads it."""
    return hashlib.sha256(f"{run_id} {checksums} {_version()}".encode()).hexdigest()[:32]


@cache
def _version() -> str:
    return code_version(Path(__file__), Path(str(work_of_windows.__file__)))


def _keys(folder: Path) -> dict[str, str]:
    table = pq.read_table(folder / f"{KEYS}.parquet")
    return dict(zip(table["run_id"].to_pylist(), table["key"].to_pylist(), strict=True))


def _write_keys(folder: Path, keys: Mapping[str, str]) -> None:
    columns = [pa.array(keys.keys(), pa.string()), pa.array(keys.values(), pa.string())]
    pq.write_table(pa.table(columns, schema=KEYS_SCHEMA), folder / f"{KEYS}.parquet")


def _add(known: Path, run_ids: Sequence[str], folder: Path) -> None:
    """Put the rows that an older folder has of these runs before the others, a piece at a time."""
    wanted = pa.array(run_ids, pa.string())
    for name, (schema, _) in TABLES.items():
        path = folder / f"{name}.parquet"
        new = pq.read_table(path)
        with pq.ParquetWriter(path, schema) as writer:
            for piece in pq.ParquetFile(known / f"{name}.parquet").iter_batches(1 << 20):
                writer.write_batch(piece.filter(pc.is_in(piece["run_id"], wanted)))
            writer.write_table(new)


def _power(path: Path) -> dict[str, Any]:
    wanted = ("series", "gpu_index", "seconds", "value")
    table = _columns(path, wanted)
    if table is None or table.column_names != list(wanted):
        return {}
    table = table.filter(pc.equal(table["series"].cast(pa.string()), str(Series.POWER_WATTS)))
    seconds, watts = (table[name].to_numpy().astype(float) for name in ("seconds", "value"))
    if seconds.size == 0 or not np.isfinite([seconds, watts]).all() or seconds.max() <= seconds.min():
        return {}
    start, length = float(seconds.min()), float(seconds.max() - seconds.min()) / INTERVALS
    gpu = table["gpu_index"].to_numpy(zero_copy_only=False)
    place = np.minimum((seconds - start) // length, INTERVALS - 1).astype(int)
    per_gpu = [_means(place[gpu == index], watts[gpu == index]) for index in np.unique(gpu)]
    return {
        "start_seconds": start,
        "interval_seconds": length,
        "power_watts": tuple(
            round(float(value), 2) if np.isfinite(value) else None for value in np.sum(per_gpu, axis=0)
        ),
    }


def _columns(path: Path, names: Sequence[str]) -> pa.Table | None:
    """Those of the columns that a Parquet file has; `None` without a file, or for one of another kind."""
    try:
        file = pq.ParquetFile(path)
        return file.read(columns=[name for name in names if name in file.schema_arrow.names])
    except (FileNotFoundError, pa.ArrowInvalid):
        return None


def _means(place: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean of the values in each interval; NaN in one without a value."""
    counts = np.bincount(place, minlength=INTERVALS)
    sums = np.bincount(place, weights=values, minlength=INTERVALS)
    means: np.ndarray = np.divide(sums, counts, out=np.full(INTERVALS, np.nan), where=counts > 0)
    return means


def _lengths(path: Path) -> dict[str, Any]:
    """Completed requests by length. Bundles of before `under_way` have no such requests."""
    table = _columns(path, ("output_tokens", "error", "under_way"))
    if table is None or not {"output_tokens", "error"} <= set(table.column_names):
        return {}
    completed = pc.is_null(table["error"])
    if "under_way" in table.column_names:
        completed = pc.and_(completed, pc.invert(pc.fill_null(table["under_way"], False)))
    tokens = table.filter(completed)["output_tokens"].drop_null().to_numpy()
    if tokens.size == 0 or tokens.min() < 0:
        return {}
    width = 1
    while tokens.max() >= width * MOST_BINS:
        width *= 2
    return {"bin_tokens": width, "responses": tuple(int(count) for count in np.bincount(tokens // width))}


def _latencies(path: Path) -> tuple[tuple[float, float, float | None], ...]:
    """Of the completed requests of an open loop, which alone have a time at which they were due."""
    names = (
        "due_seconds",
        "sent_seconds",
        "first_token_seconds",
        "finished_seconds",
        "output_tokens",
        "error",
    )
    table = _columns(path, names)
    if table is None or table.column_names != list(names):
        return ()
    wanted = pc.and_(pc.is_null(table["error"]), pc.is_valid(table["due_seconds"]))
    wanted = pc.and_(wanted, pc.is_valid(table["first_token_seconds"]))
    _, sent, first, ended, tokens, _ = (table.filter(wanted)[name].to_pylist() for name in names)
    return tuple(
        (
            round(at, 6),
            round(1e3 * (begun - at), 3),
            round(1e3 * (end - begun) / (count - 1), 4) if count > 1 else None,
        )
        for at, begun, end, count in zip(sent, first, ended, tokens, strict=True)
    )


def _verdicts(path: Path) -> tuple[tuple[int, bool, int], ...]:
    """Of the answers that were graded; bundles of before have no verdicts."""
    names = ("request_index", "verdict", "output_tokens")
    table = _columns(path, names)
    if table is None or table.column_names != list(names):
        return ()
    graded = table.filter(pc.is_valid(table["verdict"]))
    indices, verdicts, tokens = (graded[name].to_pylist() for name in names)
    return tuple(
        (index, verdict == Verdict.RIGHT, count)
        for index, verdict, count in zip(indices, verdicts, tokens, strict=True)
    )


def _work(folder: Path) -> dict[str, Any]:
    """Of the window that ranks, in runs of text tasks; bundles of before `under_way` do not tell."""
    try:
        run = bundle.read_record(folder)
    except BundleError:
        return {}
    window, load = run.window_steady, run.configuration
    if window is None or window.start_seconds is None or window.end_seconds is None:
        return {}
    if load.architecture is not Architecture.LLM:
        return {}
    table = _columns(folder / bundle.REQUESTS_FILE, WORK_COLUMNS)
    if table is None or table.column_names != list(WORK_COLUMNS):
        return {}
    work = work_between(
        table,
        window.start_seconds,
        window.end_seconds,
        prompt_tokens=load.fixed_prompt_tokens,
        output_tokens=window.output_tokens,
    )
    if work is None:
        return {}
    return {
        "work": (work.prefill_tokens, work.prefill_pairs, work.idle_seconds),
        "decoding": tuple((int(part.in_flight), part.tokens, part.context_tokens) for part in work.decoding),
    }


RowsOf = Callable[[Profile], list[dict[str, Any]]]

TABLES: dict[str, tuple[pa.Schema, RowsOf]] = {
    "power_profiles": (POWER, Profile.power_rows),
    "output_lengths": (LENGTHS, Profile.length_rows),
    "request_latencies": (LATENCIES, Profile.latency_rows),
    "graded_answers": (GRADED_ANSWERS, Profile.verdict_rows),
    "window_work": (WINDOW_WORK, Profile.work_rows),
    "window_decoding": (WINDOW_DECODING, Profile.decoding_rows),
}
"""By the name of the file."""

SCHEMAS = {KEYS: KEYS_SCHEMA} | {name: schema for name, (schema, _) in TABLES.items()}
