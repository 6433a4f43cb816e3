"""YAML files into typed entries; an error names file, line and field."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import yaml
from pydantic import ValidationError

from benchmark_tasks.errors import CatalogError, what_is_wrong
from benchmark_tasks.results.record import Record

Entry = TypeVar("Entry", bound=Record)

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEPT = 512
"""Entries that a process keeps; the shipped catalog has fewer than 100."""


def read(
    path: Path, kind: type[Entry], *, context: Mapping[str, Collection[Hashable]] | None = None
) -> Entry:
    """Parse one file as `kind`; the same text is parsed once per process.

    context: names that its validators compare with.

    Raises:
        CatalogError: not YAML, a key twice, or a field that is missing, unknown or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(path, 1, "file", str(error).splitlines()[0]) from error
    known = None if context is None else frozenset((key, frozenset(names)) for key, names in context.items())
    return cast(Entry, _parse(path, text, kind, known))


@lru_cache(maxsize=_KEPT)
def _parse(
    path: Path, text: str, kind: type[Record], known: frozenset[tuple[str, frozenset[Hashable]]] | None
) -> Record:
    try:
        root = _compose(path, text)
        _refuse_aliases(path, root, set())
        _refuse_repeated_keys(path, root)
    except RecursionError as error:
        raise _error(path, 1, "file", "nested too deeply") from error
    loader = _Loader("")
    try:
        data = loader.construct_document(root)
        return kind.model_validate(data, context=None if known is None else dict(known))
    except ValidationError as error:
        first = error.errors()[0]
        raise _error(path, _line(root, first["loc"]), _field(first["loc"]), what_is_wrong(first)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or root.start_mark
        raise _error(path, mark.line + 1, "file", error.problem or "not YAML") from error
    finally:
        loader.dispose()


def _compose(path: Path, text: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _error(path, line, "file", f"not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise _error(path, 1, "file", str(error).splitlines()[0]) from error
    if not isinstance(root, yaml.MappingNode):
        raise _error(path, 1, "file", "must be a mapping of fields")
    return root


def _refuse_aliases(path: Path, node: yaml.Node, seen: set[int]) -> None:
    """A few aliases of aliases can expand to gigabytes."""
    if id(node) in seen:
        raise _error(
            path, node.start_mark.line + 1, "file", "aliases (*name) are not allowed; write the value out"
        )
    seen.add(id(node))
    if isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for part in item if isinstance(item, tuple) else (item,):
                _refuse_aliases(path, part, seen)


def _refuse_repeated_keys(path: Path, node: yaml.Node) -> None:
    """YAML keeps the last of two equal keys without a warning."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise _error(path, key.start_mark.line + 1, key.value, "appears twice")
            seen.add(key.value)
            _refuse_repeated_keys(path, value)


def _line(node: yaml.Node, location: tuple[int | str, ...]) -> int:
    """Line of the deepest part of `location` that is in the file; a missing field has its parent's."""
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == part]
            if not pairs:
                return line
            key, node = pairs[0]
            line = key.start_mark.line + 1
    return line


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "file"


def _error(path: Path, line: int, field: str, message: str) -> CatalogError:
    return CatalogError(f"{path}:{line}: {field}: {message}")
