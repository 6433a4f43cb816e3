"""How far price lists lie from the energy per request that ML.ENERGY published, of the same model and GPUs.

    python -m benchmarks.published_prices [--publication N] [--prompt TOKENS] [--json]

A row of theirs is compared with a list of the same model, precision, GPU model, number of GPUs and
parallelism, at its batch size and mean answer length. What differs beside these is said with each row, and
nothing is mended: their release, their weights (real), their requests. They publish no lengths of prompts:
by default these are the median of the task in our catalog, which is chosen, too. A mean length says nothing
of how answers spread: long ones hold more context than the mean has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark_tasks.catalog import load
from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import Task
from expectations.prices import PriceList, joules_at
from expectations.prices.answer import lists_of
from expectations.publications import open_publication, read, require_current
from expectations.sql import rows_of_query

SAME = (
    *("model_id", "weight_precision", "gpu_model", "num_gpus"),
    *("tensor_parallel", "expert_parallel", "data_parallel"),
)
"""What must be equal."""
MAY_DIFFER = ("runtime", "runtime_version", "weights", "power_limit_watts")
"""What is said where it differs."""
_ROWS = (
    "from marts.leaderboard where data_source like 'mlenergy%' and output_unit = 'token'"
    " and energy_per_response_joules is not null and task in ('lm-arena-chat', 'gpqa', 'sourcegraph-fim')"
    " order by model_id, task, gpu_model, num_gpus, batch_size"
)


@dataclass(frozen=True)
class Compared:
    """A row of theirs beside a price list. difference: predicted over published, less 1.

    predicted_joules, difference: `None` where the list says nothing, for `reason`.
    """

    list_name: str
    task: str
    batch_size: int
    prompt_tokens: int
    answer_tokens: float
    published_joules: float
    predicted_joules: float | None
    difference: float | None
    reason: str | None
    differs: str


def compared(
    lists: Iterable[PriceList], rows: Sequence[Mapping[str, Any]], prompts: Mapping[str, int]
) -> list[Compared]:
    """Every row of theirs that is of a list's model and GPUs. prompts: lengths by task, tokens."""
    return [
        _beside(each, row, prompts[row["task"]])
        for each in lists
        for row in rows
        if all(row[key] == each.keys[key] for key in SAME)
    ]


def _beside(each: PriceList, row: Mapping[str, Any], prompt: int) -> Compared:
    answer, published = row["output_tokens_per_response"], row["energy_per_response_joules"]
    predicted = reason = None
    try:
        predicted = joules_at(each.prices, prompt=prompt, answer=answer, batch=row["batch_size"])
    except SettingsError as error:
        reason = str(error)
    differs = [f"{key} {row[key]}, {each.keys[key]}" for key in MAY_DIFFER if row[key] != each.keys[key]]
    return Compared(
        each.name,
        row["task"],
        row["batch_size"],
        prompt,
        answer,
        published,
        predicted,
        None if predicted is None else predicted / published - 1,
        reason,
        "; ".join(differs),
    )


def main() -> None:
    """Compare the lists of a publication and print a table or JSON."""
    options = _options()
    settings = Settings.from_environment()
    number = options.publication
    published = require_current(settings) if number is None else read(settings, number)
    lists = lists_of(published)
    with open_publication(published) as connection:
        rows = rows_of_query(connection, _ROWS)
    prompts = {row["task"]: options.prompt or _median_prompt(row["task"]) for row in rows}
    found = compared(lists, rows, prompts)
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=1))
        return
    for each in found:
        said = each.reason or f"{each.predicted_joules:.1f} J, {each.difference:+.1%}"
        print(
            f"{each.list_name}: {each.task}, batch {each.batch_size}, {each.prompt_tokens} +"
            f" {each.answer_tokens:.0f} tokens: published {each.published_joules:.1f} J, by the prices {said}"
            f" (theirs, ours: {each.differs or 'nothing'} differs)"
        )
    if not found:
        print(_nothing(lists, rows))


def _median_prompt(task: str) -> int:
    """Of the task in our catalog, tokens."""
    requests = load().tasks[Task(task)].requests
    assert requests is not None
    return round(requests.input_tokens.median_tokens)


def _nothing(lists: Sequence[PriceList], rows: Sequence[Mapping[str, Any]]) -> str:
    if not lists:
        return "this publication has no price list"
    here = "; ".join(each.name for each in lists)
    models = {each.keys["model_id"] for each in lists}
    theirs = sorted({f"{row['num_gpus']}x {row['gpu_model']}" for row in rows if row["model_id"] in models})
    return (
        f"nothing to compare: prices of {here}; of these models ML.ENERGY has {', '.join(theirs) or 'none'}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--publication", type=int, help="number; default: the current one")
    parser.add_argument("--prompt", type=int, help="tokens of every prompt; default: the task's median here")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
