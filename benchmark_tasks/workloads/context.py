"""A model's context: how long it is, and whether each prompt of a person's own fits into it.

Asked before a server is started: a server says so only after the minutes that its start takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark_tasks.catalog import Model
from benchmark_tasks.errors import RequestSetError
from benchmark_tasks.workloads.chat import DataSetChat
from benchmark_tasks.workloads.requests import DataSetText, place_and_mark
from benchmark_tasks.workloads.tokenizer import (
    TOKENIZER_CONFIG,
    ConversationRefused,
    NoTokenizer,
    read_json,
    read_tokenizer,
)

OwnRequests = DataSetText | DataSetChat

_LONGEST_MARK = len(place_and_mark(1, 1, 0, only_marked=True)[1])
"""Tokens of the line that later rounds put before a prompt, at most: a byte each."""

_LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
"""Keys of config.json that say how long a context may be (vLLM, derive_max_model_len_and_key)."""

_ALREADY_SCALED = ("su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling")
"""Kinds of RoPE scaling whose factor is in `max_position_embeddings` already (vLLM, config/model.py)."""

_UNITS = {"k": 10**3, "K": 2**10, "m": 10**6, "M": 2**20}


def context_of(model: Model) -> int | None:
    """Context length with which the model is served, tokens; `None` if the catalog does not say."""
    config = model.hub_config or {}
    text = config.get("text_config", config)
    tokens = model.server.get("max_model_len") or text.get("max_position_embeddings")  # type: ignore[union-attr]
    return None if tokens is None else int(tokens)  # type: ignore[arg-type]


def served_context(folder: Path, options: Mapping[str, object]) -> int | None:
    """The longest context that a server gives a model, tokens; `None` if its files do not say.

    Args:
        folder: with the config.json that is served.
        options: of the server; the last `max_model_len` counts, however it is spelled.
    """
    asked = [value for name, value in options.items() if name.replace("_", "-") == "max-model-len"]
    chosen = _number(asked[-1]) if asked else None
    return chosen or _derived(read_json(folder / "config.json"), read_json(folder / TOKENIZER_CONFIG))


def require_fit(
    requests: OwnRequests, file: Path, folder: Path, options: Mapping[str, object], say: Callable[[str], None]
) -> None:
    """Refuse prompts that do not fit the context beside the longest answer; say it if they cannot be counted.

    Pictures, videos and recordings are not counted: only the server knows how many tokens they become.

    Args:
        file: that the prompts come from.
        folder: of the model that is served: config.json, tokenizer, chat template.
        options: of the server.

    Raises:
        RequestSetError: names the first row that does not fit, its tokens and the limit; or the first one
            that the model's chat template refuses.
    """
    context, lengths = served_context(folder, options), requests.answer_lengths
    if context is None:
        say(f"{file.name}: the model's context is not known: the server says which prompts do not fit")
        return
    longest = requests.maximum_output_tokens if lengths is None else lengths.maximum_tokens
    try:
        tokenizer = read_tokenizer(folder)
        for row, prompt in zip(requests.rows, requests.asked(), strict=True):
            try:
                count = tokenizer.tokens_beyond(prompt, context - longest - _LONGEST_MARK)
            except ConversationRefused as error:
                problem = f"the model's chat template refuses it: {error}"
                raise RequestSetError(f"{file}: row {row}: {problem}") from None
            if count is not None:
                in_template = tokenizer.has_template and not isinstance(prompt, str)
                template = " with the chat template" if in_template else ""
                problem = f"{count} tokens{template}, {_too_long(count, longest, context)}"
                raise RequestSetError(f"{file}: row {row}: {problem}")
    except NoTokenizer as error:
        say(f"{file.name}: tokens are not counted: {error}; the server says which prompts do not fit")


def _too_long(count: int, longest: int, context: int) -> str:
    room, most = context - longest - _LONGEST_MARK, context - count - _LONGEST_MARK
    remedy = f"shorten it, or give --max-output-tokens {most}" if most > 0 else "shorten it"
    return (
        f"more than {max(room, 0)} (the context of {context} less {longest} for the longest answer and "
        f"{_LONGEST_MARK} for the line before repeated prompts): {remedy}"
    )


def _number(value: object) -> int | None:
    """`8192`, `8k` or `8K` as the server reads it; `None` if it chooses the length itself."""
    text = str(value).strip()
    unit = _UNITS.get(text[-1:], 1)
    try:
        number = int(float(text[:-1] if unit > 1 else text) * unit)
    except ValueError:
        return None  # `auto`
    return number if number > 0 else None


def _derived(config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]) -> int | None:
    """What a server derives from the model's files, or more where versions of it differ."""
    text = config.get("text_config") or config.get("llm_config") or config
    if not isinstance(text, Mapping):
        return None
    known = [length for key in _LENGTHS if (length := _whole(text.get(key))) is not None]
    if not known:
        return None
    length = min([*known, *filter(None, [_whole(tokenizer_config.get("model_max_length"))])])
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    if isinstance(scaling, Mapping) and "gemma3" not in str(text.get("model_type")):
        kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor")
        original = _whole(scaling.get("original_max_position_embeddings"))
        if kind == "longrope":
            return _whole(text.get("original_max_position_embeddings")) or length
        if isinstance(factor, int | float) and kind == "yarn" and original:
            length = max(length, int(original * factor))
        elif isinstance(factor, int | float) and kind not in _ALREADY_SCALED:
            length = int(length * factor)
    return length


def _whole(value: object) -> int | None:
    """A length; `None` for what is none (some tokenizers have 10^30 for "no limit")."""
    return int(value) if isinstance(value, int | float) and 0 < value < 10**9 else None
