"""Request sets whose questions come with a picture, a clip or a recording, through Chat Completions.

Items are data URLs, ready before the load begins: the load generator only puts a request together.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from benchmark_tasks.catalog import LengthDistribution, MediaKind, SyntheticMedia
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.media import RECIPE, Shape
from benchmark_tasks.workloads.requests import (
    SERVED_MODEL_NAME,
    TEMPERATURE,
    TOP_P,
    WORD,
    Request,
    sample_length,
)
from benchmark_tasks.workloads.stationary import UnderWay

PATH = "/v1/chat/completions"
WORDS = (WORD, " of", " and", " to", " in", " is", " on", " for")
"""One token each for the tokenizers of the catalog's models, and for the one made for dummy weights."""


@dataclass(frozen=True)
class SyntheticChat:
    """Random words about a made-up item, with the length distributions of a task.

    shapes: what `media.shapes_of(media)` gives; they travel with the set, so that no process makes
        them while a load runs.
    """

    task: Task
    input_tokens: LengthDistribution
    output_tokens: LengthDistribution
    length_control: LengthControl
    media: SyntheticMedia
    shapes: tuple[Shape, ...]
    seed: int = 0
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    model_name: str = SERVED_MODEL_NAME
    path: str = PATH

    @property
    def request_set_id(self) -> str:
        """`synthetic-<task>-` and a hash of every parameter that decides the requests."""
        parameters = {
            "task": self.task,
            "input_tokens": self.input_tokens.model_dump(mode="json"),
            "output_tokens": self.output_tokens.model_dump(mode="json"),
            "length_control": self.length_control,
            "media": self.media.model_dump(mode="json"),
            "recipe": RECIPE,
            "words": WORDS,
            "seed": self.seed,
            "sampling": [self.temperature, self.top_p],
            "path": self.path,
        }
        canonical = json.dumps(parameters, sort_keys=True)
        return f"synthetic-{self.task}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return self.output_tokens if self.length_control is LengthControl.FIXED else None

    def served_as(self, model_name: str) -> SyntheticChat:
        """The same set for a server that calls the model so."""
        return replace(self, model_name=model_name)

    def warm_up(self, tokens: int) -> SyntheticChat:
        """The same sizes and lengths with other content and short answers: never measured."""
        return replace(self, output_tokens=_exactly(tokens), seed=self.seed + 1_000_003)

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """A question about an item of its own; two requests never carry the same one."""
        rng = np.random.default_rng((self.seed, index))
        words = _words(rng, sample_length(self.input_tokens, rng))
        length = sample_length(self.output_tokens, rng)
        if under_way is not None:
            words, length = words + WORD * under_way.written, under_way.left
        fixed = self.length_control is LengthControl.FIXED
        limit = length if fixed else self.output_tokens.maximum_tokens
        url = self.shapes[index % len(self.shapes)].data_url(rng)
        messages = [_message(self.media.kind, url, words)]
        return _request(self, messages, limit, fixed)


@dataclass(frozen=True)
class MediaPrompt:
    """A question of a real data set and the item it is about, as a data URL."""

    text: str
    url: bytes


@dataclass(frozen=True)
class DataSetChat:
    """Questions and items of a real data set, in a fixed order.

    As `DataSetText`: the first round asks them word for word, further rounds in another order, each
    question preceded by a line that no other request has. Items come again as they are: caches of
    items are off on the servers that are measured.
    """

    request_set_id: str
    kind: MediaKind
    prompts: tuple[MediaPrompt, ...]
    maximum_output_tokens: int
    lengths: LengthDistribution | None
    seed: int
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    model_name: str = SERVED_MODEL_NAME
    only_marked: bool = False
    path: str = PATH

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return self.lengths

    def served_as(self, model_name: str) -> DataSetChat:
        """The same set for a server that calls the model so."""
        return replace(self, model_name=model_name)

    def warm_up(self, tokens: int) -> DataSetChat:
        """Prompts of another round with answers of exactly `tokens` tokens: never measured."""
        return replace(self, lengths=_exactly(tokens), only_marked=True, seed=self.seed + 1_000_003)

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """Request `index` of an endless row."""
        text, url = self._prompt(index)
        tokens = self.maximum_output_tokens
        if under_way is not None:
            tokens, text = under_way.left, text + WORD * under_way.written
        elif self.lengths is not None:
            tokens = sample_length(self.lengths, np.random.default_rng((self.seed, index)))
        return _request(self, [_message(self.kind, url, text)], tokens, self.lengths is not None)

    def _prompt(self, index: int) -> tuple[str, bytes]:
        lap, place = divmod(index, len(self.prompts))
        if lap == 0 and not self.only_marked:
            return self.prompts[place].text, self.prompts[place].url
        prompt = self.prompts[_order(self.seed + lap, len(self.prompts))[place]]
        mark = hashlib.sha256(f"{self.seed}:{index}".encode()).hexdigest()[:16]
        return f"{mark}\n{prompt.text}", prompt.url


def _request(
    asked: SyntheticChat | DataSetChat, messages: list[Mapping[str, Any]], tokens: int, fixed: bool
) -> Request:
    body = {
        "model": asked.model_name,
        "messages": messages,
        "max_completion_tokens": tokens,
        "ignore_eos": fixed,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "temperature": asked.temperature,
        "top_p": asked.top_p,
    }
    return Request(orjson.dumps(body), tokens)


def _message(kind: MediaKind, url: bytes, text: str) -> dict[str, Any]:
    """The item first, then the question. Base64 needs no escaping, so the URL is copied as it is."""
    field = f"{kind}_url"
    quoted = orjson.Fragment(b'"' + url + b'"')
    return {
        "role": "user",
        "content": [{"type": field, field: {"url": quoted}}, {"type": "text", "text": text}],
    }


def _words(rng: np.random.Generator, count: int) -> str:
    return "".join(WORDS[i] for i in rng.integers(0, len(WORDS), count))


@functools.lru_cache(maxsize=4)
def _order(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(count)


def _exactly(tokens: int) -> LengthDistribution:
    return LengthDistribution(
        median_tokens=tokens, sigma=0.0, minimum_tokens=tokens, maximum_tokens=tokens, source="warm-up"
    )
