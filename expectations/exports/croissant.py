"""Croissant 1.0: metadata of data sets that search engines and `mlcroissant` read.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expectations.exports.columns import Mart
from expectations.publications import Publication

_CONTEXT = Path(__file__).with_name("croissant_context.json")
"""The context that the specification recommends, unchanged."""

_TYPES = {
    "BOOLEAN": "sc:Boolean",
    "TINYINT": "cr:Int8",
    "SMALLINT": "cr:Int16",
    "INTEGER": "cr:Int32",
    "BIGINT": "cr:Int64",
    "FLOAT": "cr:Float32",
    "DOUBLE": "cr:Float64",
    "DATE": "sc:Date",
    "TIMESTAMP": "sc:DateTime",
    "TIMESTAMP WITH TIME ZONE": "sc:DateTime",
}
"""By DuckDB's type; everything else, lists among it, is text in a CSV file."""


@dataclass(frozen=True)
class Table:
    """A mart as a CSV file."""

    mart: Mart
    sha256: str
    bytes: int


def described(publication: Publication, tables: Sequence[Table]) -> dict[str, Any]:
    """The metadata of a publication's CSV files, which lie beside it.

    It names no licence: that is for whoever passes the data on, as the rows of others have their own.
    """
    return {
        "@context": json.loads(_CONTEXT.read_text()),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "jouleboard",
        "description": "Energy, throughput and latency of generative-AI inference, measured by Jouleboard or"
        " imported from others (column data_source). A figure that was not measured is empty.",
        "datePublished": publication.manifest["published_at"],
        "version": f"{publication.number}.0.0",
        "distribution": [_file(table) for table in tables],
        "recordSet": [_records(table) for table in tables],
    }


def _file(table: Table) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{table.mart.name}.csv",
        "name": f"{table.mart.name}.csv",
        "contentUrl": f"{table.mart.name}.csv",
        "contentSize": f"{table.bytes} B",
        "encodingFormat": "text/csv",
        "sha256": table.sha256,
    }


def _records(table: Table) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table.mart.name,
        "name": table.mart.name,
        "description": table.mart.description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table.mart.name}/{column.name}",
                "name": column.name,
                "description": column.description,
                "dataType": _TYPES.get(column.kind, "sc:Text"),
                "source": {
                    "fileObject": {"@id": f"{table.mart.name}.csv"},
                    "extract": {"column": column.name},
                },
            }
            for column in table.mart.columns
        ],
    }
