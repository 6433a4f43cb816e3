"""What a person may choose of the requests of any set: length of answers, temperature, seed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from benchmark_tasks.results.record import Count, Degree, MeasuredKey, Record

MOST_KEPT_ANSWERS = 10_000
"""Of how many requests the answers can be kept."""


class Sampling(Record):
    """Choices that replace those of a request set; `None` leaves them.

    maximum_output_tokens: the longest answer. temperature: of sampling; 0 always takes the likeliest token.
    seed: decides synthetic prompts, lengths and the order of prompts.
    """

    maximum_output_tokens: Degree | None = None
    temperature: Annotated[MeasuredKey, Field(le=2)] | None = None
    seed: Annotated[Count, Field(lt=2**31)] | None = None

    @property
    def mark(self) -> str:
        """Suffix of the request set's id: `+at-most-256+temperature-0+request-seed-7`. Empty without choices.

        The hash in the id differs, too; by the suffix a plan knows that these are not the usual requests.
        """
        marks = [
            "" if self.maximum_output_tokens is None else f"+at-most-{self.maximum_output_tokens}",
            "" if self.temperature is None else f"+temperature-{self.temperature:g}",
            "" if self.seed is None else f"+request-seed-{self.seed}",
        ]
        return "".join(marks)
