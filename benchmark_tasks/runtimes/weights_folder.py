"""Real weights in a folder: whole or refused, and what identifies them.

The identity is a hash of the content of every file that may decide what is computed: weights with their
index, config.json, tokenizer, generation_config.json, chat template. Only descriptions, licences, pictures
and hidden files are left out. A file is hashed again unless its size, inode and both times are those that it
had when it was hashed; content cannot be changed without a change of the second of these times (ctime).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmark_tasks import disk
from benchmark_tasks.catalog import Model
from benchmark_tasks.catalog.fields import DESCRIPTION_ONLY
from benchmark_tasks.errors import CatalogError, WeightsNotAsAsked
from benchmark_tasks.runtimes.weight_files import Tensors, precision_of, read_headers, read_object
from benchmark_tasks.vocabulary import WeightPrecision

GIB = 1 << 30
CONTENT_HASH_DIGITS = 64
"""A commit of the hub has 40."""

KNOWN_HASHES = "weights"
"""Folder in the home with the hashes of files."""

HASHING_THREADS = 4
SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was hashed may change again without another time."""

CONFIG = "config.json"
PIPELINE = "model_index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt")
_WEIGHTS = ".safetensors"
_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx")
_INDEX = ".safetensors.index.json"
_PART = re.compile(r"-(\d+)-of-(\d+)\.safetensors$")
_SHAPE = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
"""Keys of config.json that two copies of one model have in common."""


_Indices = Mapping[str, Mapping[str, str]]
"""By index: which file holds which tensor."""


class Stamp(NamedTuple):
    """What the file system says of a file; times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


@dataclass(frozen=True)
class WeightsFolder:
    """A folder of weights that was read.

    revision: hash of its content, 64 hexadecimal digits. precision, config: of a language model; `None` for
        the pipeline of an image or video model, which casts its weights.
    stamps: of the hashed files, by name in the folder.
    """

    path: Path
    revision: str
    precision: WeightPrecision | None
    config: Mapping[str, Any] | None
    stamps: Mapping[str, Stamp]

    def require_unchanged(self) -> None:
        """Check that no file has changed since it was hashed.

        Raises:
            WeightsNotAsAsked: names the first one that has.
        """
        try:
            now = _stamps(self.path)
        except CatalogError as error:
            raise WeightsNotAsAsked(f"weights changed while they were loaded: {error}") from error
        if now != self.stamps:
            raise WeightsNotAsAsked(f"{_first_change(self.path, self.stamps, now)} while it was loaded")


def is_content_hash(revision: str | None) -> bool:
    """Whether a revision is the hash of a folder, not a commit of the hub."""
    return revision is not None and len(revision) == CONTENT_HASH_DIGITS


def read_weights_folder(
    path: Path, home: Path, say: Callable[[str], None] = lambda line: None
) -> WeightsFolder:
    """Check a folder of weights and hash its content.

    Args:
        home: where hashes of files are remembered.

    Raises:
        CatalogError: something is missing, truncated, of a format that cannot be read, or changes meanwhile.
    """
    with _one_line(path):
        stamps, config, precision = _whole(path)
        hashes = _hashes(path, stamps, home, say)
        now = _stamps(path)
    if now != stamps:
        raise CatalogError(f"{_first_change(path, stamps, now)} while it was read: measure again")
    revision = hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()
    return WeightsFolder(path, revision, precision, config, stamps)


def require_whole(path: Path) -> None:
    """Check a folder of weights without hashing it: milliseconds, whatever its size.

    Raises:
        CatalogError: something is missing, truncated, or of a format that cannot be read.
    """
    with _one_line(path):
        _whole(path)


def require_complete(path: Path) -> None:
    """Check that no file of weights is missing or truncated; only safetensors are looked into.

    Raises:
        CatalogError: one is, or there are no weights at all.
    """
    with _one_line(path):
        stamps = _stamps(path)
        weights = [name for name in stamps if name.endswith(_WEIGHTS)]
        if not weights and not any(name.endswith(_OTHER_WEIGHTS) for name in stamps):
            raise CatalogError(f"{path}: no weights in it")
        _require_parts(path, stamps, pipeline=False)


def _whole(path: Path) -> tuple[dict[str, Stamp], dict[str, Any] | None, WeightPrecision | None]:
    """The files of a folder that lacks nothing, its config.json and precision if it has a language model."""
    stamps = _stamps(path)
    pipeline = PIPELINE in stamps
    config = None if pipeline else _language_config(path, stamps)
    tensors = _require_parts(path, stamps, pipeline=pipeline)
    return stamps, config, None if config is None else precision_of(path, config, tensors.values())


def _require_parts(path: Path, stamps: Mapping[str, Stamp], *, pipeline: bool) -> dict[Path, Tensors]:
    """The headers of the weights, every part of which is there."""
    indices = _indices(path, stamps)
    tensors = read_headers(_weight_files(path, stamps, {} if pipeline else indices, pipeline=pipeline))
    held = {file.relative_to(path).as_posix(): t.names for file, t in tensors.items()}
    _require_indexed(path, stamps, indices, held)
    return tensors


def require_same_model(folder: WeightsFolder, model: Model) -> None:
    """Refuse a folder with another model than the catalog's entry.

    Raises:
        CatalogError: names the first value of config.json that differs.
    """
    if folder.config is None or model.hub_config is None:
        return
    here, there = _text(folder.config), _text(model.hub_config)
    for key in _SHAPE:
        if key in here and key in there and here[key] != there[key]:
            raise CatalogError(
                f"{folder.path}: {key} in its config.json is {here[key]!r}, and {there[key]!r} in the "
                f"catalog's entry of {model.model_id}: add an entry for this model"
            )


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = config.get("text_config")
    return inner if isinstance(inner, Mapping) else config


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise CatalogError(f"{error.filename or path}: removed while it was read: measure again") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CatalogError(f"{error.filename or path}: {reason}; check permissions and the disk") from error


def _stamps(path: Path) -> dict[str, Stamp]:
    """Every file that may decide what is computed, by its name in the folder."""
    if not path.is_dir():
        what = "a file, not a folder" if path.exists() else "no such folder"
        hint = "; the runtime reads no GGUF file here: convert it to safetensors" if _is_gguf(path) else ""
        raise CatalogError(f"{path}: {what}{hint or ': name the folder with config.json and the weights'}")
    with _one_line(path):
        return dict(sorted(_files(path, "", {path.resolve()})))


def _files(folder: Path, prefix: str, seen: set[Path]) -> Iterator[tuple[str, Stamp]]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        name = prefix + entry.name
        if entry.name.startswith(".") or entry.name == "__pycache__" or DESCRIPTION_ONLY.search(name):
            continue
        if entry.is_dir():
            target = Path(entry.path).resolve()
            if target not in seen:
                yield from _files(Path(entry.path), f"{name}/", seen | {target})
            continue
        try:
            status = Path(entry.path).stat()
        except FileNotFoundError as error:
            if entry.is_symlink():
                raise CatalogError(
                    f"{entry.path}: a link to a file that is missing: copy it again"
                ) from error
            raise
        yield (
            name,
            Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev),
        )


def _language_config(path: Path, names: Mapping[str, Stamp]) -> dict[str, Any]:
    """config.json of a language model whose other files are there, too."""
    weights = [name for name in names if "/" not in name and name.endswith(_WEIGHTS)]
    if not weights and any(_is_gguf(Path(name)) for name in names):
        raise CatalogError(
            f"{path}: holds GGUF, which the runtime is not measured with: convert it to safetensors"
        )
    if CONFIG not in names:
        raise CatalogError(f"{path}: no config.json: name the folder with all files of the model")
    if not weights:
        others = [name for name in names if name.endswith(_OTHER_WEIGHTS)]
        hint = f"{others[0]} is not read: convert it to safetensors" if others else "copy the weights there"
        raise CatalogError(f"{path}: no .safetensors file; {hint}")
    if not any(name in names for name in _TOKENIZERS) and not any(n.endswith(".tiktoken") for n in names):
        raise CatalogError(f"{path}: no tokenizer ({', '.join(_TOKENIZERS[:3])}): copy it there")
    return read_object(path / CONFIG)


def _is_gguf(path: Path) -> bool:
    return path.suffix.lower() == ".gguf"


def _weight_files(path: Path, names: Mapping[str, Stamp], indices: _Indices, *, pipeline: bool) -> list[Path]:
    """The files that a runtime loads: of a language model those that its index names, if it has one."""
    files = [name for name in names if name.endswith(_WEIGHTS) and (pipeline or "/" not in name)]
    if pipeline and not files:
        raise CatalogError(f"{path}: no .safetensors file: copy the weights there")
    indexed = {file for weights in indices.values() for file in weights.values()}
    return [path / name for name in files if not indexed or name in indexed]


def _indices(path: Path, names: Mapping[str, Stamp]) -> _Indices:
    """Each index of weights: which file holds which tensor, by names in the folder."""
    found = {}
    for name in names:
        if not name.endswith(_INDEX):
            continue
        weights = read_object(path / name).get("weight_map")
        if not isinstance(weights, dict) or not all(isinstance(file, str) for file in weights.values()):
            raise CatalogError(f"{path / name}: no weight_map: copy it again")
        folder = name.rpartition("/")[0]
        found[name] = {t: f"{folder}/{file}" if folder else file for t, file in weights.items()}
    return found


def _require_indexed(
    path: Path, names: Mapping[str, Stamp], indices: _Indices, held: Mapping[str, set[str]]
) -> None:
    """Check that every part of weights in several files is there, and holds what the index says."""
    for index, weights in indices.items():
        for tensor, file in weights.items():
            if file not in names:
                raise CatalogError(f"{path / file}: missing; {Path(index).name} names it: copy it there")
            if file in held and tensor not in held[file]:
                raise CatalogError(
                    f"{path / file}: {tensor} is not in it, but {Path(index).name} says so: copy both again"
                )
    for name in held:
        if part := _PART.search(name):
            digits, count = part[1], int(part[2])
            for number in range(1, count + 1):
                other = name[: part.start()] + f"-{number:0{len(digits)}d}-of-{part[2]}{_WEIGHTS}"
                if other not in names:
                    raise CatalogError(
                        f"{path / other}: missing; {Path(name).name} is one of {count}: copy it there"
                    )


def _hashes(
    path: Path, stamps: Mapping[str, Stamp], home: Path, say: Callable[[str], None]
) -> dict[str, str]:
    """SHA-256 of every file; those that are as they were when they were hashed are not read again."""
    memory = home / KNOWN_HASHES / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"
    known = _remembered(memory)
    hashes = {
        name: known[name][1] for name, stamp in stamps.items() if name in known and known[name][0] == stamp
    }
    missing = [name for name in stamps if name not in hashes]
    if not missing:
        return hashes
    size = sum(stamps[name].size for name in missing)
    if size >= GIB:
        say(f"hashing {size / GIB:.1f} GiB of weights in {path}")
    begun = time.time_ns()
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        hashes |= zip(missing, pool.map(disk.sha256, [path / name for name in missing]), strict=True)
    settled = {
        name: [stamp, hashes[name]] for name, stamp in stamps.items() if begun - stamp.ctime_ns > SETTLED_NS
    }
    if _stamps(path) == stamps:
        disk.replace(memory, json.dumps(settled), durable=False)
    return hashes


def _remembered(memory: Path) -> dict[str, tuple[Stamp, str]]:
    """The hashes in a file that an earlier call wrote; nothing if it cannot be read."""
    try:
        entries = json.loads(memory.read_bytes())
        return {name: (Stamp(*stamp), str(digest)) for name, (stamp, digest) in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _first_change(path: Path, before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> str:
    names: Sequence[str] = sorted(before.keys() | now.keys())
    name = next(name for name in names if before.get(name) != now.get(name))
    return f"{path / name}: changed"
