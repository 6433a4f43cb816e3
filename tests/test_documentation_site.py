"""Pages of the documentation site that are made from the code."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_marts_describes_the_leaderboard(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mkdocs")
    monkeypatch.syspath_prepend(str(DOCS))
    page = importlib.import_module("generated").marts()
    assert "### leaderboard" in page
    assert "| `energy_per_output_joules` | double | " in page
    sys.modules.pop("generated")
