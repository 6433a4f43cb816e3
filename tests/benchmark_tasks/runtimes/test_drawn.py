"""What a server says of the weights that it drew is believed only if all its processes agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark_tasks.errors import WeightsNotAsAsked
from benchmark_tasks.runtimes.drawn import weights_drawn
from benchmark_tasks.stand_in.support import report_line

FACTS = {
    "recipe": "stand-in.1",
    "seed": 0,
    "digest": "ab" * 32,
    "tensors": 399,
    "values": 8,
    "device": "cuda",
}


def log(folder: Path, *lines: str) -> Path:
    path = folder / "server.log"
    path.write_text("\n".join(("INFO loading", *lines, "INFO ready")) + "\n")
    return path


def test_two_processes_that_agree(tmp_path: Path) -> None:
    lines = [f"(Worker_TP{i} pid={i}) {report_line({**FACTS, 'seconds': 0.2 + i})}" for i in range(2)]
    drawn = weights_drawn(log(tmp_path, *lines))
    assert (drawn.recipe, drawn.digest, drawn.values, drawn.processes) == ("stand-in.1", "ab" * 32, 8, 2)


def test_a_draft_model_is_another_model(tmp_path: Path) -> None:
    draft = {**FACTS, "digest": "cd" * 32, "values": 2, "of_draft": True}
    drawn = weights_drawn(log(tmp_path, *(report_line(facts) for facts in (FACTS, FACTS, draft, draft))))
    assert (drawn.digest, drawn.values, drawn.processes) == ("ab" * 32, 8, 2)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([report_line({**FACTS, "of_draft": True})], "which weights it drew for the model that is served"),
        (
            [report_line({**FACTS, "digest": digest, "of_draft": True}) for digest in ("ef", "ab")]
            + [report_line(FACTS)],
            "drew different weights for the draft model: ab, ef",
        ),
        ([], "did not say which weights"),
        ([report_line({**FACTS, "recipe": "stand-in.1+seed=1"})], "drew stand-in.1.seed=1, not stand-in.1"),
        ([report_line(FACTS), report_line({**FACTS, "digest": "cd"})], "drew different weights: abab.*, cd"),
        ([report_line({"recipe": "stand-in.1"})], "report on its weights is wrong"),
    ],
    ids=["only-a-draft", "drafts-differ", "none", "another-recipe", "they-differ", "half-a-report"],
)
def test_anything_else_is_an_error(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(WeightsNotAsAsked, match=message):
        weights_drawn(log(tmp_path, *lines))
