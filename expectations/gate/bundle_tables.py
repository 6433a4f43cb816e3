"""Tables of a bundle, refused unless they are what a measurement writes.

Checksums that fit say only that a file is as it was written. Whoever works something out of a table may take
from here on that its columns, types and values are those of `results.tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark_tasks.errors import BundleError, one_line
from benchmark_tasks.results import bundle
from benchmark_tasks.results.tables import ANSWERS, REQUESTS, TIMELINES, Series

SCHEMAS = {
    bundle.REQUESTS_FILE: REQUESTS,
    bundle.TIMELINES_FILE: TIMELINES,
    bundle.ANSWERS_FILE: ANSWERS,
}
_ADDED_LATER = frozenset({"under_way", "due_seconds", "right_answer", "verdict"})
"""Columns that older bundles lack."""

_MOST_VALUES, _MOST_BYTES, _BATCH_BYTES, _BATCH_ROWS = 100_000_000, 1 << 30, 64 << 20, 1 << 16
"""Of a table: the largest recorded one has 0.3 million values. Few bytes can say very many equal values."""
_MOST_TOKENS_IN_PIECES = 100_000_000
"""Of the answers whose pieces are kept: each token becomes one value. The most recorded are 0.8 million."""

_NEVER_NULL = {
    bundle.REQUESTS_FILE: ("request_index", "process", "slot", "sent_seconds", "finished_seconds"),
    bundle.TIMELINES_FILE: ("series", "seconds", "value"),
    bundle.ANSWERS_FILE: ("request_index", "output_tokens"),
}
_NEVER_NEGATIVE = ("request_index", "process", "slot", "prompt_tokens", "output_tokens", "max_tokens")
_OF_EVERY_REQUEST_OR_NONE = ("output_tokens", "max_tokens")
"""Images and videos have none."""
_PIECES = ("chunk_gap_us", "chunk_tokens")
_OF_A_GPU = pa.array(
    [
        Series.POWER_WATTS.value,
        Series.TEMPERATURE_CELSIUS.value,
        Series.SM_CLOCK_MHZ.value,
        Series.MEMORY_CLOCK_MHZ.value,
        Series.THROTTLE_REASON_BITS.value,
        Series.ENERGY_COUNTER_JOULES.value,
    ]
)


def read_table(path: Path) -> pa.Table:
    """A table of a bundle, as a measurement writes it. Samples that are no numbers are left to a check.

    It is read piece by piece, so that one that would fill the memory is refused before it does.

    Raises:
        BundleError: it is not Parquet, or has other columns, types or values, or too many of them.
        FileNotFoundError: there is none.
    """
    try:
        with pq.ParquetFile(path) as file:
            _require_columns(path, file.schema_arrow)
            table = _read(path, file)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise BundleError(f"{path}: not readable as Parquet: {one_line(error)}; measure again") from error
    fault = next(_faults(path.name, table), None)
    if fault is not None:
        raise BundleError(f"{path}: {fault}; not as a measurement writes it; measure again")
    return table


def _require_columns(path: Path, schema: pa.Schema) -> None:
    found = {field.name: field.type for field in schema}
    wanted = {field.name: field.type for field in SCHEMAS[path.name]}
    odd = [name for name in found if found[name] != wanted.get(name) or schema.names.count(name) > 1]
    odd += [name for name in wanted if name not in found and name not in _ADDED_LATER]
    if odd:
        raise BundleError(f"{path}: column {odd[0]!r:.80} is not as a measurement writes it; measure again")


def _read(path: Path, file: pq.ParquetFile) -> pa.Table:
    parts = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    chunks = [part.column(i) for part in parts for i in range(part.num_columns)]
    largest = max((chunk.total_uncompressed_size for chunk in chunks), default=1)
    left = _MOST_BYTES
    too_large = (
        sum(chunk.num_values for chunk in chunks) > _MOST_VALUES
        or file.metadata.num_rows > _MOST_VALUES
        or sum(chunk.total_uncompressed_size for chunk in chunks) > left
    )
    rows = min(_BATCH_ROWS, max(1, _BATCH_BYTES // max(largest, 1)))
    batches = []
    for batch in () if too_large else file.iter_batches(batch_size=rows):
        left -= batch.nbytes
        too_large = left < 0
        if too_large:
            break
        batches.append(batch)
    if too_large:
        raise BundleError(f"{path}: a table of more values than any measurement has")
    table = pa.Table.from_batches(batches, file.schema_arrow)
    table.validate(full=True)
    return table


def _faults(name: str, table: pa.Table) -> Iterator[str]:
    """What no measurement writes into a table of the right columns."""
    for column in _NEVER_NULL[name]:
        if table[column].null_count:
            yield f"a row without {column}"
    for column in table.column_names:
        if column != "value" and pa.types.is_floating(table.schema.field(column).type):
            if not _all(pc.is_finite(table[column])):
                yield f"{column} that is no number"
        elif column in _NEVER_NEGATIVE and _any(pc.less(table[column], 0)):
            yield f"{column} below zero"
    if name == bundle.REQUESTS_FILE:
        yield from _faults_of_requests(table)
    if name == bundle.TIMELINES_FILE:
        of_a_gpu = pc.is_in(table["series"].cast(pa.string()), _OF_A_GPU)
        if _any(pc.and_(of_a_gpu, pc.less(pc.fill_null(table["gpu_index"], -1), 0))):
            yield "a sample of a GPU without gpu_index"


def _faults_of_requests(table: pa.Table) -> Iterator[str]:
    for column in _OF_EVERY_REQUEST_OR_NONE:
        if 0 < table[column].null_count < table.num_rows:
            yield f"requests with and without {column}"
    lengths = [pc.fill_null(pc.list_value_length(table[column]), -1) for column in _PIECES]
    if not lengths[0].equals(lengths[1]):
        yield "chunk_gap_us and chunk_tokens of unequal lengths"
    for column in _PIECES:
        values = pc.list_flatten(table[column])
        if values.null_count or _any(pc.less(values, 0)):
            yield f"{column} with what is no count"
    tokens = pc.sum(pc.list_flatten(table["chunk_tokens"])).as_py() or 0
    if tokens > _MOST_TOKENS_IN_PIECES:
        yield "chunk_tokens of more tokens than any measurement keeps"


def _all(values: pa.ChunkedArray) -> bool:
    """Whether all are true; what is NULL does not count."""
    return bool(pc.all(values, min_count=0).as_py())


def _any(values: pa.ChunkedArray) -> bool:
    return bool(pc.any(values, min_count=0).as_py())
