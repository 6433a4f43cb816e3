"""A folder of weights as the hub has them, of a few bytes: for tests that load no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG: Mapping[str, Any] = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "I32": 4, "U8": 1, "I8": 1}


def write_weights_folder(
    folder: Path,
    *,
    parts: int = 1,
    dtypes: Sequence[str] = ("BF16",),
    config: Mapping[str, Any] = CONFIG,
    value: int = 1,
) -> Path:
    """Write config.json, a tokenizer, generation_config.json and weights in `parts` files.

    dtypes: of the tensors of each file. value: what each of their bytes is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("config.json", config),
        ("tokenizer.json", {"version": "1.0"}),
        ("generation_config.json", {"eos_token_id": 2}),
    ):
        (folder / name).write_text(json.dumps(content))
    names = [f"model-{i:05d}-of-{parts:05d}.safetensors" for i in range(1, parts + 1)]
    held = {name if parts > 1 else "model.safetensors": i for i, name in enumerate(names)}
    for name, part in held.items():
        write_safetensors(folder / name, {f"{part}.{dtype}": dtype for dtype in dtypes}, value)
    if parts > 1:
        weight_map = {f"{part}.{dtype}": name for name, part in held.items() for dtype in dtypes}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def write_safetensors(file: Path, tensors: Mapping[str, str], value: int = 1, elements: int = 8) -> None:
    """Write tensors (types by name) of `elements` numbers, all of whose bytes are `value`."""
    header, end = {}, 0
    for name, dtype in tensors.items():
        size = elements * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": [elements], "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes([value]) * end)
