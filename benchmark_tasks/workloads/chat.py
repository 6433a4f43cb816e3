"""Request sets whose questions come with a picture, a clip or a recording, through Chat Completions.

Items are data URLs that are prepared before the load begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from benchmark_tasks.catalog import AnswerKey, LengthDistribution, SyntheticMedia
from benchmark_tasks.vocabulary import LengthControl, MediaKind, Task
from benchmark_tasks.workloads.lengths import LENGTHS_RECIPE, answer_limit, request_lengths
from benchmark_tasks.workloads.media import RECIPE, Shape
from benchmark_tasks.workloads.requests import (
    SERVED_MODEL_NAME,
    TEMPERATURE,
    TOP_P,
    Request,
    exactly,
    place_and_mark,
    row_of,
    streamed,
    synthetic_id,
)
from benchmark_tasks.workloads.stationary import UnderWay
from benchmark_tasks.workloads.words import WORD, WORDS

PATH = "/v1/chat/completions"
LIMIT = "max_completion_tokens"


@dataclass(frozen=True)
class SyntheticChat:
    """Random words about a made-up item, with the length distributions of a task.

    shapes: the result of `media.shapes_of(media)`. They are part of the set, so that no process computes
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
        """Names everything that decides the requests."""
        parameters = {
            "task": self.task,
            "input_tokens": self.input_tokens.model_dump(mode="json"),
            "output_tokens": self.output_tokens.model_dump(mode="json"),
            "length_control": self.length_control,
            "media": self.media.model_dump(mode="json"),
            "recipe": [LENGTHS_RECIPE, RECIPE],
            "words": WORDS,
            "seed": self.seed,
            "sampling": [self.temperature, self.top_p],
            "path": self.path,
        }
        return synthetic_id(self.task, parameters)

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return self.output_tokens if self.length_control is LengthControl.FIXED else None

    def served_as(self, model_name: str) -> SyntheticChat:
        """The same set for a server that calls the model so."""
        return replace(self, model_name=model_name)

    def warm_up(self, tokens: int) -> SyntheticChat:
        """The same sizes and lengths with other content and short answers: never measured."""
        return replace(self, output_tokens=exactly(tokens), seed=self.seed + 1_000_003)

    @property
    def first_round(self) -> None:
        """No question is sent twice."""

    def row_of(self, index: int) -> None:
        """Questions are made up."""

    @property
    def answer_key(self) -> None:
        """No answer is right."""

    def right_of(self, index: int) -> None:
        """No answer is right."""

    def question_of(self, index: int) -> int:
        """No question is sent twice."""
        return index

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """A question about an item; no two requests have the same item."""
        rng = np.random.default_rng((self.seed, index))
        prompt_tokens, length = request_lengths(self.input_tokens, self.output_tokens, self.seed, index)
        words = _words(rng, prompt_tokens)
        if under_way is not None:
            words, length = words + WORD * under_way.written, under_way.left
        fixed = self.length_control is LengthControl.FIXED
        limit = length if fixed else self.output_tokens.maximum_tokens
        url = self.shapes[index % len(self.shapes)].data_url(rng)
        return streamed(self, _asking(self.media.kind, url, words), LIMIT, limit, fixed=fixed)


@dataclass(frozen=True)
class MediaPrompt:
    """A question of a real data set and the item it is about, as a data URL."""

    text: str
    url: bytes


@dataclass(frozen=True)
class DataSetChat:
    """Questions and items of a real data set, in a fixed order.

    As in `DataSetText`, the first round sends the questions unchanged; further rounds have another order, and
    each question begins with a line that no other request has. Items are sent again unchanged: the servers
    that are measured do not cache items.
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
    rows: tuple[int, ...] = ()
    answer_key: AnswerKey | None = None
    rights: tuple[str, ...] = ()

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return self.lengths

    def served_as(self, model_name: str) -> DataSetChat:
        """The same set for a server that calls the model so."""
        return replace(self, model_name=model_name)

    def warm_up(self, tokens: int) -> DataSetChat:
        """Prompts of another round with answers of exactly `tokens` tokens: never measured."""
        return replace(self, lengths=exactly(tokens), only_marked=True, seed=self.seed + 1_000_003)

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """Request `index` of an endless sequence."""
        text, url = self._prompt(index)
        tokens = answer_limit(self.lengths, self.maximum_output_tokens, self.seed, index)
        if under_way is not None:
            tokens, text = under_way.left, text + WORD * under_way.written
        fixed = self.lengths is not None
        return streamed(self, _asking(self.kind, url, text), LIMIT, tokens, fixed=fixed)

    @property
    def first_round(self) -> int:
        """As many as there are prompts."""
        return len(self.prompts)

    def row_of(self, index: int) -> int | None:
        """The row of a person's file; `None` for other data sets."""
        return row_of(self.rows, index, self.seed)

    def right_of(self, index: int) -> str | None:
        """The right answer to a request of the first round."""
        return self.rights[index] if self.rights else None

    def question_of(self, index: int) -> MediaPrompt:
        """The question of a request of the first round, with its item."""
        return self.prompts[index]

    def asked(self) -> Iterator[list[dict[str, Any]]]:
        """The messages of each question, without the content of its item."""
        for prompt in self.prompts:
            content = [{"type": self.kind.value}, {"type": "text", "text": prompt.text}]
            yield [{"role": "user", "content": content}]

    def _prompt(self, index: int) -> tuple[str, bytes]:
        place, mark = place_and_mark(index, len(self.prompts), self.seed, only_marked=self.only_marked)
        prompt = self.prompts[place]
        return mark + prompt.text, prompt.url


def _asking(kind: MediaKind, url: bytes, text: str) -> dict[str, Any]:
    """The item, then the question. Base64 needs no escaping, so the URL is copied unchanged."""
    field = f"{kind}_url"
    item = {"type": field, field: {"url": orjson.Fragment(b'"' + url + b'"')}}
    return {"messages": [{"role": "user", "content": [item, {"type": "text", "text": text}]}]}


def _words(rng: np.random.Generator, count: int) -> str:
    return "".join(WORDS[i] for i in rng.integers(0, len(WORDS), count))
