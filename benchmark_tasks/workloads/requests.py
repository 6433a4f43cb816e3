"""Request sets: which requests, in which order, with which lengths.

A request set is deterministic: its id names everything that decides its requests and is a
comparability key. Request i is made when it is needed, so a set has no end.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Literal, Protocol

import numpy as np
import orjson

from benchmark_tasks.catalog import AnswerKey, LengthDistribution
from benchmark_tasks.results.record import Record
from benchmark_tasks.vocabulary import LengthControl, Task
from benchmark_tasks.workloads.lengths import LENGTHS_RECIPE, answer_limit, request_lengths
from benchmark_tasks.workloads.prompts import Prompt
from benchmark_tasks.workloads.stationary import UnderWay
from benchmark_tasks.workloads.words import WORD

SERVED_MODEL_NAME = "measured"
"""The model name that every server is started with."""

TEMPERATURE, TOP_P = 0.8, 0.95
"""ML.ENERGY's sampling parameters."""

_ROLES = ("user", "assistant")


@dataclass(frozen=True)
class Request:
    """One request, ready to send."""

    body: bytes
    max_tokens: int


class RequestSet(Protocol):
    """What the load generator needs of a request set.

    answer_lengths: prescribed lengths of answers; `None` if answers end by themselves.
    """

    @property
    def path(self) -> str:
        """Path on the server that requests are sent to."""
        ...

    @property
    def request_set_id(self) -> str:
        """Names the set and hashes all that decides its requests."""
        ...

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """Lengths of answers, tokens; `None` if answers end by themselves."""
        ...

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """Request `index`, or a request in its place whose answer is `under_way`.

        The prompt of such a request has about as many additional tokens as the answer has already, and its
        answer is the rest: the server holds and generates what it would in the middle of that answer.
        """
        ...

    def served_as(self, model_name: str) -> RequestSet:
        """The same requests, for a server that uses this name for the model; the id does not change."""
        ...

    def warm_up(self, tokens: int) -> RequestSet:
        """Requests of the same kind, never the same content, with answers of `tokens` tokens."""
        ...


class NamedRequestSet(RequestSet, Protocol):
    """A request set that knows where its prompts come from, for whoever keeps answers."""

    @property
    def first_round(self) -> int | None:
        """How many requests send a prompt unchanged, before prompts are sent again; `None` for all."""
        ...

    def row_of(self, index: int) -> int | None:
        """Which row of a file the prompt of request `index` is, from 1; `None` where it is from no file."""
        ...

    @property
    def answer_key(self) -> AnswerKey | None:
        """How answers are graded; `None` where no right answers are known."""
        ...

    def right_of(self, index: int) -> str | None:
        """The right answer to request `index` of the first round; `None` without an answer key."""
        ...

    def question_of(self, index: int) -> object:
        """What request `index` of the first round asks; equal for requests that ask the same."""
        ...

    def served_as(self, model_name: str) -> NamedRequestSet:
        """The same requests, for a server that uses this name for the model; the id does not change."""
        ...


def synthetic_id(task: Task, parameters: Mapping[str, object]) -> str:
    """`synthetic-<task>-` and a hash of every parameter that decides the requests."""
    canonical = json.dumps(parameters, sort_keys=True)
    return f"synthetic-{task}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


def exactly(tokens: int, source: str = "warm-up") -> LengthDistribution:
    """Always the same length: that of warm-up answers, or of a designed load."""
    return LengthDistribution(
        median_tokens=tokens, sigma=0.0, minimum_tokens=tokens, maximum_tokens=tokens, source=source
    )


def place_and_mark(index: int, count: int, seed: int, *, only_marked: bool) -> tuple[int, str]:
    """Which of `count` prompts is request `index`, and the line that is put before it.

    The first round has the original order and no such lines, unless `only_marked`. In further rounds each
    request begins with a line that no other request has.
    """
    round_number, place = divmod(index, count)
    if round_number == 0 and not only_marked:
        return place, ""
    mark = hashlib.sha256(f"{seed}:{index}".encode()).hexdigest()[:16]
    return int(_order(seed + round_number, count)[place]), f"{mark}\n"


def row_of(rows: Sequence[int], index: int, seed: int) -> int | None:
    """The row whose prompt is request `index`; `None` without rows."""
    return rows[place_and_mark(index, len(rows), seed, only_marked=False)[0]] if rows else None


class CommonFields(Protocol):
    """Fields that all requests of a set share."""

    @property
    def model_name(self) -> str:
        """The server's name of the model."""
        ...

    @property
    def temperature(self) -> float:
        """Of sampling."""
        ...

    @property
    def top_p(self) -> float:
        """Of sampling."""
        ...


def streamed(
    common: CommonFields, prompt: Mapping[str, object], limit: str, tokens: int, *, fixed: bool
) -> Request:
    """A request for a streamed answer of at most `tokens` tokens, or exactly as many if `fixed`."""
    body = {
        "model": common.model_name,
        **prompt,
        limit: tokens,
        "ignore_eos": fixed,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "temperature": common.temperature,
        "top_p": common.top_p,
    }
    return Request(orjson.dumps(body), tokens)


class SyntheticText(Record):
    """Random token ids with the length distributions of a task, for machines without the data sets.

    Token ids avoid the tokenizer's special tokens, which sit at the end of the vocabulary.
    `recipe` is the version of the method that makes requests from these parameters.
    """

    task: Task
    input_tokens: LengthDistribution
    output_tokens: LengthDistribution
    length_control: LengthControl
    vocabulary_size: int
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    seed: int = 0
    recipe: Literal[3] = LENGTHS_RECIPE
    path: str = "/v1/completions"
    model_name: str = SERVED_MODEL_NAME

    @property
    def request_set_id(self) -> str:
        """A hash of every field except the server's name of the model."""
        return synthetic_id(self.task, self.model_dump(mode="json", exclude={"model_name"}))

    def served_as(self, model_name: str) -> SyntheticText:
        """The same set for a server that calls the model so."""
        return self.model_copy(update={"model_name": model_name})

    def warm_up(self, tokens: int) -> SyntheticText:
        """The same prompts' lengths with other content and short answers: never measured."""
        return self.model_copy(update={"output_tokens": exactly(tokens), "seed": self.seed + 1_000_003})

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return self.output_tokens if self.length_control is LengthControl.FIXED else None

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """A Completions request with a token-id prompt; two requests never share a prefix block."""
        rng = np.random.default_rng((self.seed, index))
        prompt_tokens, length = request_lengths(self.input_tokens, self.output_tokens, self.seed, index)
        prompt = self._tokens(rng, prompt_tokens)
        if under_way is not None:
            prompt, length = prompt + self._tokens(rng, under_way.written), under_way.left
        fixed = self.length_control is LengthControl.FIXED
        tokens = length if fixed else self.output_tokens.maximum_tokens
        return streamed(self, {"prompt": prompt}, "max_tokens", tokens, fixed=fixed)

    @property
    def first_round(self) -> None:
        """No prompt is sent twice."""

    def row_of(self, index: int) -> None:
        """Prompts are made up."""

    @property
    def answer_key(self) -> None:
        """No answer is right."""

    def right_of(self, index: int) -> None:
        """No answer is right."""

    def question_of(self, index: int) -> int:
        """No prompt is sent twice."""
        return index

    def _tokens(self, rng: np.random.Generator, count: int) -> list[int]:
        return [int(token) for token in rng.integers(300, self.vocabulary_size - 512, size=count)]


@dataclass(frozen=True)
class DataSetText:
    """Prompts of a real data set, in a fixed order.

    The first round sends them unchanged. Further rounds have another order, and each prompt begins with a
    line that no other request has. So no prefix is sent twice, and a prefix cache would have no hits.

    request_set_id: data set, revision and a hash of every parameter and prompt.
    lengths: prescribed answer lengths; `None` lets answers end by themselves, at
        `maximum_output_tokens` at the latest.
    systems: instructions before each prompt, empty for none; without any, no prompt has some.
    rows: rows of a person's file that the prompts are; empty for other data sets.
    answer_key, rights: how answers are graded, and the right answer to each prompt; none without a key.
    """

    request_set_id: str
    prompts: tuple[Prompt, ...]
    chat: bool
    maximum_output_tokens: int
    lengths: LengthDistribution | None
    seed: int
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    model_name: str = SERVED_MODEL_NAME
    only_marked: bool = False
    systems: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    answer_key: AnswerKey | None = None
    rights: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Path on the server that requests are sent to."""
        return "/v1/chat/completions" if self.chat else "/v1/completions"

    def served_as(self, model_name: str) -> DataSetText:
        """The same set for a server that calls the model so."""
        return replace(self, model_name=model_name)

    def warm_up(self, tokens: int) -> DataSetText:
        """Prompts of another round with answers of exactly `tokens` tokens: never measured."""
        return replace(self, lengths=exactly(tokens), only_marked=True, seed=self.seed + 1_000_003)

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return self.lengths

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:
        """Request `index` of an endless sequence."""
        system, prompt = self._prompt(index)
        tokens = answer_limit(self.lengths, self.maximum_output_tokens, self.seed, index)
        if under_way is not None:
            tokens, prompt = under_way.left, (*prompt[:-1], prompt[-1] + WORD * under_way.written)
        words: dict[str, object] = (
            {"messages": _messages(system, prompt)} if self.chat else {"prompt": prompt[0]}
        )
        limit = "max_completion_tokens" if self.chat else "max_tokens"
        return streamed(self, words, limit, tokens, fixed=self.lengths is not None)

    @property
    def first_round(self) -> int:
        """As many as there are prompts."""
        return len(self.prompts)

    def row_of(self, index: int) -> int | None:
        """The row of a person's file."""
        return row_of(self.rows, index, self.seed)

    def right_of(self, index: int) -> str | None:
        """The right answer to a request of the first round."""
        return self.rights[index] if self.rights else None

    def question_of(self, index: int) -> object:
        """Instructions and turns of a request of the first round."""
        return self.systems[index] if self.systems else "", self.prompts[index]

    def asked(self) -> Iterator[str | list[dict[str, str]]]:
        """What each prompt asks, as it is: the messages of a conversation, or a text to be completed."""
        for place, prompt in enumerate(self.prompts):
            system = self.systems[place] if self.systems else ""
            yield _messages(system, prompt) if self.chat else prompt[0]

    def _prompt(self, index: int) -> tuple[str, Prompt]:
        """Instructions and turns; whichever comes first begins with the mark."""
        place, mark = place_and_mark(index, len(self.prompts), self.seed, only_marked=self.only_marked)
        if self.systems and self.systems[place]:
            return mark + self.systems[place], self.prompts[place]
        first, *rest = self.prompts[place]
        return "", (mark + first, *rest)


@functools.lru_cache(maxsize=4)
def _order(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(count)


def _messages(system: str, prompt: Prompt) -> list[dict[str, str]]:
    before = [{"role": "system", "content": system}] if system else []
    return before + [{"role": role, "content": text} for role, text in zip(cycle(_ROLES), prompt)]
