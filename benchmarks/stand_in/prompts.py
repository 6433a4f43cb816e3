"""Requests in plain English for a small model with real weights, as token ids of its own tokenizer.

    python -m benchmarks.stand_in.prompts MODEL_FOLDER OUT.json

Random token ids would not do: what a trained model answers to them is not what it answers to people.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from benchmark_tasks.catalog import LengthDistribution
from benchmark_tasks.workloads.lengths import evenly, length_at
from benchmark_tasks.workloads.requests import Request, streamed
from benchmark_tasks.workloads.stationary import UnderWay

_ANSWERS = LengthDistribution(
    median_tokens=220, sigma=0.35, minimum_tokens=96, maximum_tokens=512, source="chosen"
)

_ASKS = (
    "Write a short story about {}.",
    "Explain {} to a child of ten.",
    "List five surprising facts about {}.",
    "What should a beginner know about {}?",
    "Write a letter to a friend about {}.",
    "Give a step by step guide to {}.",
    "Compare two opinions on {}.",
    "Summarise the history of {} in a few paragraphs.",
    "Write a dialogue between two people who disagree about {}.",
    "How would you teach a class on {}?",
    "What are common mistakes people make with {}?",
    "Write a news report about {}.",
    "Describe {} as if you had never seen it before.",
    "Suggest a plan for a week devoted to {}.",
    "Write a poem about {}.",
    "Answer a customer who complains about {}.",
)
_TOPICS = (
    "growing tomatoes", "the night sky", "learning to swim", "old bridges", "baking bread", "a lost dog",
    "city buses", "the sea in winter", "repairing a bicycle", "coral reefs", "first jobs", "chess",
    "rainy holidays", "volcanoes", "moving to another country", "saving money", "bird watching",
    "the printing press", "night trains", "home-made soup", "mountain rescue", "keeping bees",
    "the history of paper", "public libraries", "long distance running", "black holes", "school lunches",
    "wind power", "learning the piano", "forest fires", "market day in a small town", "sleep",
)  # fmt: skip


@dataclass(frozen=True)
class Prompts:
    """Given prompts as token ids, in their order, over and over, with prescribed answer lengths."""

    prompts: tuple[tuple[int, ...], ...]
    temperature: float
    top_p: float
    model_name: str = "measured"
    path: str = "/v1/completions"
    request_set_id: str = "plain-english"

    @property
    def answer_lengths(self) -> LengthDistribution | None:
        """The prescribed lengths."""
        return _ANSWERS

    def request(self, index: int, under_way: UnderWay | None = None) -> Request:  # noqa: ARG002  a contract
        """Request `index`."""
        prompt, tokens = self.prompts[index % len(self.prompts)], length_at(_ANSWERS, evenly(0, index)[1])
        return streamed(self, {"prompt": list(prompt)}, "max_tokens", tokens, fixed=True)


def texts() -> list[str]:
    """Every ask about every topic, topics changing fastest."""
    return [ask.format(topic) for ask, topic in itertools.product(_ASKS, _TOPICS)]


def main() -> None:
    """Wrap each in the model's chat format and write their token ids."""
    from tokenizers import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    wrapped = [f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" for text in texts()]
    arguments.out.write_text(json.dumps([tokenizer.encode(text).ids for text in wrapped]))


if __name__ == "__main__":
    main()
