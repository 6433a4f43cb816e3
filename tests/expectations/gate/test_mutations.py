"""No number of a record can be doubled or halved unseen, but for those that are declared with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutations import UNSEEN, unseen

RECORDED = Path(__file__).parents[3] / "recorded_runs"
BUNDLES = (
    "h200-2026-11-26-qwen3-8b/01a217a2-914d-7125-b4dd-c9d54dd3ad0d",
    "h200-2026-11-26-diffusion/01a2179d-c951-7fbe-99ec-a2ba6bbdb4b3",
)


@pytest.mark.parametrize("bundle", BUNDLES, ids=["text", "pictures"])
def test_every_number_of_a_record_is_confirmed_by_its_files(bundle: str) -> None:
    assert unseen(RECORDED / bundle) - set(UNSEEN) == set()
