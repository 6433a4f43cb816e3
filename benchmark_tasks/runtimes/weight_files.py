"""Files of weights (safetensors): whether they are whole, and which number format they hold.

Only headers are read. Format: 8 bytes with the length of a JSON header, the header, the tensors
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmark_tasks.errors import CatalogError
from benchmark_tasks.vocabulary import WeightPrecision

LARGEST_HEADER_BYTES = 100_000_000
"""The format's own limit."""

_UNQUANTIZED = {
    "BF16": WeightPrecision.BFLOAT16,
    "F16": WeightPrecision.FLOAT16,
    "F32": WeightPrecision.FLOAT32,
}
_PACKED = {
    WeightPrecision.FP8: {"F8_E4M3", "F8_E5M2"},
    WeightPrecision.MXFP4: {"U8"},
    WeightPrecision.NVFP4: {"U8"},
    WeightPrecision.INT4: {"I32", "U8"},
    WeightPrecision.INT8: {"I8", "I32"},
    WeightPrecision.AWQ_INT4: {"I32"},
    WeightPrecision.GPTQ_INT4: {"I32"},
    WeightPrecision.GPTQ_INT8: {"I32"},
    WeightPrecision.BNB_NF4: {"U8"},
    WeightPrecision.BNB_FP4: {"U8"},
    WeightPrecision.BNB_INT8: {"I8"},
}
"""Types of the tensors that hold the numbers of a quantized format."""

_BY_METHOD = {
    ("awq", 4): WeightPrecision.AWQ_INT4,
    ("gptq", 4): WeightPrecision.GPTQ_INT4,
    ("gptq", 8): WeightPrecision.GPTQ_INT8,
}
_BY_FORMAT = {
    ("float", 8): WeightPrecision.FP8,
    ("int", 4): WeightPrecision.INT4,
    ("int", 8): WeightPrecision.INT8,
}
_BY_GROUP_SIZE = {16: WeightPrecision.NVFP4, 32: WeightPrecision.MXFP4}
"""Floats of 4 bits: how many share a scale."""

_BY_ALGORITHM = {"FP8": WeightPrecision.FP8, "NVFP4": WeightPrecision.NVFP4}


class Tensors:
    """What the headers of some files say: names of tensors, and bytes per type."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.bytes_of: Counter[str] = Counter()


def read_headers(files: Iterable[Path]) -> dict[Path, Tensors]:
    """The headers of files.

    Raises:
        CatalogError: a file is truncated, or is not safetensors.
    """
    return {file: _read_header(file) for file in files}


def _read_header(file: Path) -> Tensors:
    size = file.stat().st_size
    with file.open("rb") as opened:
        beginning = opened.read(8)
        length = int.from_bytes(beginning, "little")
        if beginning.startswith(b"version"):
            raise CatalogError(
                f"{file}: only a pointer of Git LFS, not the weights: run `git lfs pull` there"
            )
        if len(beginning) < 8 or (length <= LARGEST_HEADER_BYTES and 8 + length > size):
            raise CatalogError(f"{file}: truncated ({size} bytes): copy it again")
        if length > LARGEST_HEADER_BYTES:
            raise CatalogError(f"{file}: not a safetensors file: copy it again")
        header = opened.read(length)
    try:
        tensors, end = _tensors(json.loads(header))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CatalogError(f"{file}: its header is not that of a safetensors file: copy it again") from error
    if size != 8 + length + end:
        what = "truncated" if size < 8 + length + end else "longer than its header says"
        raise CatalogError(f"{file}: {what} ({size} bytes instead of {8 + length + end}): copy it again")
    return tensors


def _tensors(header: Mapping[str, Any]) -> tuple[Tensors, int]:
    """The tensors of a header, and where the last one ends."""
    tensors, end = Tensors(), 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begins, ends = tensor["data_offsets"]
        if not 0 <= begins <= ends:
            raise ValueError(name)
        tensors.names.add(name)
        tensors.bytes_of[str(tensor["dtype"])] += ends - begins
        end = max(end, ends)
    return tensors, end


def precision_of(folder: Path, config: Mapping[str, Any], tensors: Iterable[Tensors]) -> WeightPrecision:
    """The number format of weights: as config.json quantizes them, else what most of their bytes are.

    Raises:
        CatalogError: a format without a name here, or config.json and the files contradict each other.
    """
    held = sum((one.bytes_of for one in tensors), Counter[str]())
    quantized = _quantization_of(folder, config)
    if quantized is None:
        most = max(held, key=held.__getitem__, default="no tensors")
        if most not in _UNQUANTIZED:
            raise CatalogError(
                f"{folder}: its weights are {most}, but config.json has no quantization_config: the "
                "folder is not complete, or not of this format"
            )
        return _UNQUANTIZED[most]
    precision = _named(folder, quantized)
    if not _PACKED[precision] & held.keys():
        raise CatalogError(
            f"{folder}: config.json says {precision}, but the files hold {', '.join(sorted(held))}: weights "
            "and config.json are not of one model"
        )
    return precision


def _quantization_of(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What says how weights are quantized; NVIDIA's ModelOpt also has a file for it."""
    text = config.get("text_config")
    found = config.get("quantization_config") or config.get("compression_config")
    found = found or (text.get("quantization_config") if isinstance(text, Mapping) else None)
    if found is None and (folder / "hf_quant_config.json").is_file():
        found = {"quant_method": "modelopt", **read_object(folder / "hf_quant_config.json")}
    if found is not None and not isinstance(found, Mapping):
        raise CatalogError(f"{folder / 'config.json'}: quantization_config is not an object")
    return found


def _named(folder: Path, quantized: Mapping[str, Any]) -> WeightPrecision:
    method = str(quantized.get("quant_method") or "").lower()
    if precision := _known(method, quantized):
        return precision
    known = ", ".join(_PACKED)
    raise CatalogError(
        f"{folder}: quantized by {method or 'an unnamed method'}, a format without a name here; "
        f"known: {known}"
    )


def _known(method: str, quantized: Mapping[str, Any]) -> WeightPrecision | None:
    match method:
        case "fp8" | "mxfp4":
            return WeightPrecision(method)
        case "fbgemm_fp8":
            return WeightPrecision.FP8
        case "awq" | "gptq":
            return _BY_METHOD.get((method, _whole(quantized.get("bits"))))
        case "bitsandbytes":
            return _of_bitsandbytes(quantized)
        case "compressed-tensors":
            return _of_compressed_tensors(quantized)
        case "modelopt":
            nested = quantized.get("quantization")
            inner = nested if isinstance(nested, Mapping) else quantized
            return _BY_ALGORITHM.get(str(inner.get("quant_algo")).upper())
    return None


def _of_bitsandbytes(quantized: Mapping[str, Any]) -> WeightPrecision | None:
    if quantized.get("load_in_8bit"):
        return WeightPrecision.BNB_INT8
    types = {"nf4": WeightPrecision.BNB_NF4, "fp4": WeightPrecision.BNB_FP4}
    return types.get(str(quantized.get("bnb_4bit_quant_type"))) if quantized.get("load_in_4bit") else None


def _of_compressed_tensors(quantized: Mapping[str, Any]) -> WeightPrecision | None:
    """The format that all groups of layers have; several formats have no one name."""
    groups = quantized.get("config_groups")
    listed = list(groups.values()) if isinstance(groups, Mapping) else []
    weights = [group.get("weights") for group in listed if isinstance(group, Mapping)]
    names = {_of_group(one) for one in weights if isinstance(one, Mapping)}
    return names.pop() if len(names) == 1 else None


def _of_group(weights: Mapping[str, Any]) -> WeightPrecision | None:
    kind, bits = str(weights.get("type")), _whole(weights.get("num_bits"))
    if (kind, bits) == ("float", 4):
        return _BY_GROUP_SIZE.get(_whole(weights.get("group_size")))
    return _BY_FORMAT.get((kind, bits))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object in a file.

    Raises:
        CatalogError: it is none.
    """
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{file}: not JSON: copy it again") from error
    if not isinstance(content, dict):
        raise CatalogError(f"{file}: not a JSON object: copy it again")
    return content
