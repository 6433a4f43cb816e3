"""Writes a model directory without a hub.

It holds the architecture's config, a tokenizer and, for models that see, how pictures are prepared. No
weights are written.

The server then makes its weights while it loads: stand-in weights, which are drawn so that the model computes
as a trained one does, or vLLM's dummy weights. What the weights say changes speed and energy: dummy weights
by up to 11 %, and more for a mixture of experts (docs/stand-in.md). So every run carries its kind of weights
as a comparability key.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import CatalogError
from benchmark_tasks.stand_in.support import untied
from benchmark_tasks.vocabulary import Weights
from benchmark_tasks.workloads.words import WORDS

_SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_VISION_TOKENS = {
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
}
"""Keys of a config.json and what Qwen's processors call the token of that id."""
_SPACE = "\u0120"
"""How GPT-2 writes a space."""
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def model_source(model: Model, weights: Weights, scratch: Path, folder: str | None = None) -> str:
    """What a server loads: the hub id or `folder` of real weights, otherwise a directory written on the spot.

    Raises:
        CatalogError: the weights are not real, but the catalog has no `hub_config`.
    """
    if weights is Weights.REAL:
        return folder or model.model_id
    if model.hub_config is None:
        raise CatalogError(f"{model.model_id} has no hub_config in the catalog: it needs real weights")
    if weights is Weights.STAND_IN:
        model = model.model_copy(update={"hub_config": untied(model.hub_config)})
    return str(write_model_directory(scratch / "model", model))


def write_model_directory(directory: Path, model: Model) -> Path:
    """Write `config.json`, a tokenizer of the config's vocabulary size and `hub_files` into `directory`.

    Args:
        directory: created when missing; files in it are replaced.
        model: must have a `hub_config`.

    Returns:
        The directory, ready for `--model`.
    """
    assert model.hub_config is not None
    config: dict[str, Any] = dict(model.hub_config)
    special = {config[key]: token for key, token in _VISION_TOKENS.items() if key in config}
    vocabulary = _vocabulary(int(config.get("text_config", config)["vocab_size"]), special)
    directory.mkdir(parents=True, exist_ok=True)
    _write_json(directory / "config.json", config)
    _write_json(directory / "tokenizer.json", _tokenizer(vocabulary, (*special.values(), *_SPECIAL_TOKENS)))
    _write_json(directory / "tokenizer_config.json", _tokenizer_config(model))
    _write_json(directory / "generation_config.json", {"eos_token_id": vocabulary["<|im_end|>"]})
    for name, content in model.hub_files.items():
        _write_json(directory / name, content)
    return directory


def _vocabulary(size: int, special: Mapping[int, str]) -> dict[str, int]:
    """Single bytes, parts of the synthetic questions' words, made-up words, the special tokens last.

    special: tokens that the model's config puts at an id of its own.
    """
    plain = itertools.chain(sorted(_byte_alphabet()), (left + right for left, right in _merges()), _made_up())
    last = dict(enumerate(_SPECIAL_TOKENS, size - len(_SPECIAL_TOKENS)))
    at = {**special, **last}
    return {at[i] if i in at else next(plain): i for i in range(size)}


def _made_up() -> Iterator[str]:
    return ("".join(letters) for n in (3, 4) for letters in itertools.product(_LETTERS, repeat=n))


def _merges() -> list[tuple[str, str]]:
    """What makes each word of a synthetic question one token, as in the real tokenizers."""
    words = [word.replace(" ", _SPACE) for word in WORDS]
    pairs = [(word[:i], word[i]) for word in words for i in range(1, len(word))]
    return list(dict.fromkeys(pairs))


def _byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]


def _tokenizer(vocabulary: Mapping[str, int], special: Sequence[str]) -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary[token],
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in special
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": dict(vocabulary),
            "merges": [" ".join(pair) for pair in _merges()],
        },
    }


def _tokenizer_config(model: Model) -> dict[str, Any]:
    processors = [content.get("processor_class") for content in model.hub_files.values()]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 131072,
        "chat_template": _CHAT_TEMPLATE,
        **({"processor_class": processors[0]} if processors else {}),
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=None if path.name == "tokenizer.json" else 1))
