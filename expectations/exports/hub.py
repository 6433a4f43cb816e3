"""A publication as a data set folder for a model hub: a card, Parquet per mart, where it comes from.

<folder>/README.md                card: YAML that the hub reads, then prose and every column
<folder>/parquet/<mart>.parquet   one configuration of the data set per mart; marts without rows are left out
<folder>/provenance.json          publication, its signer, rows and SHA-256 of each file

By default it holds our own rows only: the rows that others published have a licence of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import PublicationError
from benchmark_tasks.vocabulary import DataSource
from expectations.exports.columns import DATABASE, Mart, described
from expectations.exports.folder import new_folder
from expectations.publications import MANIFEST_FILE, PARQUET_FOLDER, Publication, attached
from expectations.publications.database import literal

if TYPE_CHECKING:
    import duckdb

CARD_FILE = "README.md"
PROVENANCE_FILE = "provenance.json"
FIRST = "leaderboard"
"""The mart that a reader gets who names none."""

_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Part:
    """A mart in the folder."""

    mart: Mart
    rows: int
    sha256: str


def export_hub(
    publication: Publication, folder: Path, *, licence: str, name: str = "Jouleboard", imported: bool = False
) -> list[str]:
    """Write a data set folder; returns the names of its configurations.

    licence: the hub's identifier of the licence under which you pass the rows on, e.g. `cc-by-4.0`.
    name: of the data set, for people. imported: also the rows that others published.

    Raises:
        PublicationError: the licence has not that form, there is no row to pass on, or `folder` has something
            in it. DiskFull.
    """
    if not _LICENCE.fullmatch(licence):
        raise PublicationError(
            f"{licence!r} is no identifier of a licence: write it as the hub does, e.g. cc-by-4.0"
        )
    with new_folder(folder) as target, attached(**{DATABASE: publication.database}) as connection:
        connection.execute("set preserve_insertion_order = true; set threads = 2")
        (target / PARQUET_FOLDER).mkdir()
        written = (_written(connection, mart, target, imported) for mart in sorted(publication.rows))
        parts = sorted((part for part in written if part), key=lambda part: part.mart.name != FIRST)
        if not parts or parts[0].mart.name != FIRST:
            raise PublicationError(
                f"publication {publication.number} has no row of ours; nothing was written"
            )
        provenance = _provenance(publication, parts, imported)
        (target / PROVENANCE_FILE).write_text(json.dumps(provenance, indent=1) + "\n")
        (target / CARD_FILE).write_text(_card(parts, provenance, licence, " ".join(name.split())))
        return [part.mart.name for part in parts]


def _written(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, imported: bool) -> Part | None:
    """Write a mart; `None` if it has no row to pass on."""
    mart, path = described(connection, name), folder / PARQUET_FOLDER / f"{name}.parquet"
    has_source = any(column.name == "data_source" for column in mart.columns)
    ours = f" where data_source = {literal(DataSource.JOULEBOARD.value)}"
    rows = f"from {mart.relation}{ours if has_source and not imported else ''}"
    (count,) = connection.execute(f"select count(*) {rows}").fetchone() or (0,)
    if not count:
        return None
    connection.execute(f"copy (select * {rows}) to {literal(path)} (format parquet, compression zstd)")
    return Part(mart, count, sha256(path))


def _provenance(publication: Publication, parts: Sequence[Part], imported: bool) -> dict[str, Any]:
    manifest = publication.manifest
    return {
        "publication": publication.number,
        "published_at": manifest["published_at"],
        "jouleboard_commit": manifest.get("git_commit"),
        "manifest_sha256": sha256(publication.path / MANIFEST_FILE),
        "signed_by": manifest.get("signed_by"),
        "gate_verdict": manifest["gate"].get("verdict"),
        "accepted_runs": manifest["runs"].get("accepted"),
        "data_sources": "all" if imported else DataSource.JOULEBOARD.value,
        "files": {
            f"{PARQUET_FOLDER}/{part.mart.name}.parquet": {"rows": part.rows, "sha256": part.sha256}
            for part in parts
        },
    }


def _card(parts: Sequence[Part], provenance: dict[str, Any], licence: str, name: str) -> str:
    from huggingface_hub import DatasetCardData

    rows = max(part.rows for part in parts)
    data = DatasetCardData(
        pretty_name=name,
        license=licence,
        size_categories=next((size for limit, size in _SIZES if rows < limit), "1M<n<10M"),
        tags=["energy", "benchmark", "inference", "llm", "gpu"],
        configs=[
            {
                "config_name": part.mart.name,
                **({"default": True} if part.mart.name == FIRST else {}),
                "data_files": [{"split": "train", "path": f"{PARQUET_FOLDER}/{part.mart.name}.parquet"}],
            }
            for part in parts
        ],
    )
    return f"---\n{data.to_yaml()}\n---\n\n{_prose(parts, provenance, licence, name)}"


def _prose(parts: Sequence[Part], provenance: dict[str, Any], licence: str, name: str) -> str:
    others = (
        "Rows whose `data_source` is not `jouleboard` were published by others; their licence is theirs."
        if provenance["data_sources"] == "all"
        else "Rows that others published are not part of it."
    )
    signed = f"signed with the key `{provenance['signed_by']}`" if provenance["signed_by"] else "unsigned"
    head = f"""\
# {name}

Energy, throughput and latency of generative-AI inference, measured by Jouleboard. A figure that was not
measured is NULL; none is estimated. Units are part of the names of columns.

```python
from datasets import load_dataset

leaderboard = load_dataset("FOLDER OR REPOSITORY", "{FIRST}", split="train")
```

## Where it comes from

Publication {provenance["publication"]} of {provenance["published_at"]}, {signed}.
Accepted runs: {provenance["accepted_runs"]}. The gate's verdict: {provenance["gate_verdict"]}.
SHA-256 of its manifest: `{provenance["manifest_sha256"]}`.
`{PROVENANCE_FILE}` has rows and SHA-256 of each file. {others}

## Licence

`{licence}`, as whoever made this folder said.

## Configurations
"""
    return head + "".join(map(_described, parts))


def _described(part: Part) -> str:
    columns = "".join(
        f"| `{c.name}` | {c.kind.lower()} | {_cell(c.description)} |\n" for c in part.mart.columns
    )
    about = " ".join(part.mart.description.split())
    table = f"| column | type | what |\n|---|---|---|\n{columns}"
    return f"\n### {part.mart.name}\n\n{about} Rows: {part.rows:,}.\n\n{table}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
