"""The OpenAPI description of the API, from the forms; the same for live answers and for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from expectations.api.collections import VERSION, Collections, filters_of
from expectations.api.forms import Index, Problem, page_form
from expectations.exports.columns import Mart

DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE_SIZE = 1000

_PROMISE = (
    "Energy of generative-AI inference, as published. Within v1 paths, parameters and fields are only added:"
    " none is removed, renamed, or gets another type, unit or meaning. Units stand in the names or in the"
    " descriptions. Unknown is null and never 0. An item has every field. The same paths are files in a"
    " publication's folder `api`; a host of plain files knows no parameter and gives each collection whole."
)
_FAILURES = {
    "400": "An unknown parameter, an unknown value of a filter, or a bad page size.",
    "401": "Log in first, or send a bearer token.",
    "404": "No such collection, or no such page.",
    "409": "Another publication became current between two pages: begin again with the first page.",
    "503": "Nothing is published yet, or the publication cannot be read.",
}
_REFERENCE = "#/components/schemas/{model}"


def document(collections: Collections) -> dict[str, Any]:
    """The description of these collections as OpenAPI 3.1. The server's address is relative to it."""
    pages: dict[str, type[BaseModel]] = {name: page_form(*each) for name, each in collections.items()}
    forms: list[type[BaseModel]] = [*pages.values(), Index, Problem]
    names, schemas = models_json_schema([(form, "serialization") for form in forms], ref_template=_REFERENCE)
    reference = {form: schema for (form, _), schema in names.items()}
    paths = {f"/{VERSION}/index.json": _path("What there is.", reference[Index], [])}
    for name, (_, mart) in collections.items():
        words = " ".join(mart.description.split())
        paths[f"/{VERSION}/{name}.json"] = _path(words, reference[pages[name]], _parameters(mart))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Jouleboard", "version": VERSION, "description": _PROMISE},
        "servers": [{"url": ".."}],
        "security": [{"login": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "login": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of Airflow's `/auth/token`, or a browser's login. Files: none.",
                }
            },
        },
    }


def _path(words: str, answer: Mapping[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": _REFERENCE.format(model=Problem.__name__)}}}
    failures = {
        status: {"description": why, "content": problem}
        for status, why in _FAILURES.items()
        if parameters or status in {"401", "503"}
    }
    answers = {
        "200": {"description": words, "content": {"application/json": {"schema": dict(answer)}}},
        "304": {"description": "The publication is the one of the ETag in If-None-Match."},
    }
    return {"get": {"summary": words, "parameters": parameters, "responses": answers | failures}}


def _parameters(mart: Mart) -> list[dict[str, Any]]:
    """Filters, which may be repeated, and pages."""
    words = {column.name: " ".join(column.description.split()) for column in mart.columns}
    filters = [
        {
            "name": name,
            "in": "query",
            "description": f"Only items with this `{column}`; repeated: with one of these. {words[column]}",
            "schema": {"type": "array", "items": {"type": "string"}},
        }
        for name, column in filters_of(mart).items()
    ]
    size = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE}
    return [
        *filters,
        _number("page", "Number of the page.", {"type": "integer", "minimum": 1, "default": 1}),
        _number("page_size", "Most items of a page.", size),
        _number(
            "publication",
            "Number of the publication that the earlier pages came from; `next` has it.",
            {"type": "integer", "minimum": 1},
        ),
    ]


def _number(name: str, words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": words, "schema": schema}
