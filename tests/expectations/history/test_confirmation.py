"""Reruns of changes that are candidates: which are planned, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest

from benchmark_tasks.catalog import load
from benchmark_tasks.plan import confirmation_campaign
from benchmark_tasks.results.schema import Run
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run
from expectations.history.confirmation import Candidate, candidates, newly_told, plan_confirmations
from tests.expectations.history.test_release_news import ROW
from tests.expectations.publishing import make_candidate, publish

NOW = datetime(2026, 11, 29, tzinfo=UTC)
RUN = sample_run(runtime_version="0.33.0", finished_at=NOW)
BASE: dict[str, Any] = {
    **ROW,
    **RUN.configuration.model_dump(mode="json"),
    **RUN.comparability.model_dump(mode="json"),
    "data_source": "jouleboard",
    "nickname": "Qwen3 8B",
    "previous_runtime_version": "0.32.0",
}


def row(name: str, change: float, **values: Any) -> dict[str, Any]:
    """A row of `release_history`: a candidate that was not rerun."""
    told = {"is_candidate": True, "confirmation": "not rerun"}
    return BASE | {"leaderboard_id": name, "energy_change": change} | told | values


def published(settings: Settings, rows: list[dict[str, Any]], note: str) -> None:
    candidate = make_candidate(settings.home.with_name(f"{note}.duckdb"), rows=1)
    history = pyarrow.Table.from_pylist(rows)
    with duckdb.connect(str(candidate)) as connection:
        connection.register("history", history)
        connection.execute("create table marts.release_history as select * from history")
    publish(settings, candidate, note)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_only_candidates_that_were_not_rerun_wait_the_largest_first(settings: Settings) -> None:
    rows = [
        row("small", -0.03, batch_size=32),
        row("large", 0.05, batch_size=64),
        row("told", 0.2, confirmation="not confirmed"),
        row("no candidate", 0.3, is_candidate=False),
        row("published by others", 0.4, data_source="mlenergy"),
    ]
    published(settings, rows, "one")
    waiting = candidates(settings)
    assert [(one.configuration.batch_size, one.change) for one in waiting] == [(64, 0.05), (32, -0.03)]
    assert waiting[0].earlier_version == "0.32.0"
    assert waiting[0].comparability == RUN.comparability


def waiting(*batch_sizes: int, **keys: Any) -> list[Candidate]:
    return [
        Candidate(
            RUN.configuration.model_copy(update={"batch_size": size}),
            RUN.comparability.model_copy(update=keys),
            "0.32.0",
            0.05,
        )
        for size in batch_sizes
    ]


def planned(found: list[Candidate], runs: list[Run], **values: Any) -> tuple[list[list[Any]], str]:
    """Version and batch size of each server, by candidate; and what was said."""
    said: list[str] = []
    arguments: dict[str, Any] = {
        "gpu_models": [RUN.configuration.gpu_model],
        "cost": lambda sweep, point: 0.2,
        "budget_gpu_hours": 2.0,
        "now": NOW,
        "campaign_id": confirmation_campaign("now"),
        "say": said.append,
    }
    chosen = plan_confirmations(load(), found, runs, **(arguments | values))
    servers = [[(one.runtime_version, one.points[0].batch_size) for one in each] for _, each in chosen]
    assert {one.campaign_id for _, each in chosen for one in each} <= {"confirm__now"}
    return servers, "\n".join(said)


def in_turns(size: int) -> list[tuple[str, int]]:
    return [("0.32.0", size), ("0.33.0", size), ("0.33.0", size), ("0.32.0", size)]


def rerun(**values: Any) -> Run:
    given = {"campaign_id": "confirm__before", "finished_at": NOW - timedelta(days=1), "phases": ()}
    return RUN.model_copy(update=given | {"started_at": NOW - timedelta(days=1, hours=1)} | values)


def test_both_releases_are_measured_in_turns_and_never_above_the_budget() -> None:
    assert planned(waiting(32, 64), [])[0] == [in_turns(32), in_turns(64)]
    servers, said = planned(waiting(32, 64), [], budget_gpu_hours=1.5)
    assert servers == [in_turns(32)]
    assert "batch 64 | dummy weights: 0.8 GPU-hours, and 0.7 of the week are left" in said
    assert planned(waiting(32), [], budget_gpu_hours=0)[0] == []


@pytest.mark.parametrize(
    ("spent", "rest"),
    [
        ({}, [in_turns(64)]),
        ({"started_at": NOW - timedelta(days=1, hours=1.5)}, []),
        ({"finished_at": NOW - timedelta(days=8), "started_at": NOW - timedelta(days=9)}, [in_turns(64)]),
        ({"campaign_id": "rotation__x", "started_at": NOW - timedelta(days=2)}, [in_turns(64)]),
        ({"campaign_id": "confirm__now", "started_at": NOW - timedelta(days=2)}, [in_turns(64)]),
    ],
    ids=["fits", "spent", "last week", "another kind", "its own"],
)
def test_what_reruns_of_seven_days_spent_counts(spent: Mapping[str, Any], rest: list[Any]) -> None:
    assert planned(waiting(64), [rerun(**spent, configuration=waiting(32)[0].configuration)])[0] == rest


@pytest.mark.parametrize(
    ("found", "runs", "values", "why"),
    [
        (waiting(64), [rerun(configuration=waiting(64)[0].configuration)], {}, "it was rerun before"),
        (waiting(64), [], {"gpu_models": ["B200"]}, "no host with this GPU"),
        (waiting(64), [], {"cost": lambda sweep, point: None}, "its GPU time is unknown"),
        (waiting(64, runtime_version="0.33.0+fast"), [], {}, "it was measured by hand"),
    ],
    ids=["rerun before", "no GPU", "unknown cost", "options of its own"],
)
def test_what_is_left_out_is_said(
    found: list[Candidate], runs: list[Run], values: Mapping[str, Any], why: str
) -> None:
    servers, said = planned(found, runs, **values)
    assert servers == []
    assert why in said and said.startswith("left out: ")


def test_what_reruns_said_is_told_once(settings: Settings) -> None:
    published(settings, [row("a", -0.033), row("b", 0.05)], "one")
    assert newly_told(settings, 1).lines == ()
    published(settings, [row("a", -0.033, confirmation="confirmed"), row("b", 0.05)], "two")
    (line,) = newly_told(settings, 1).lines
    assert line.startswith("vLLM 0.33.0: energy per token -3.3 % (-3.6 to -3.0) at batch")
    assert line.endswith("confirmed")
    told = [row("a", -0.033, confirmation="confirmed"), row("b", 0.05, confirmation="not confirmed")]
    published(settings, told, "three")
    (line,) = newly_told(settings, 1).lines
    assert line.endswith("not confirmed")
    assert newly_told(settings, 2).title == "Changes of energy: 1 confirmed, 1 not confirmed"
    assert newly_told(settings, 9) == newly_told(settings, 2)  # more events than publications that are kept
    assert newly_told(settings, 0).lines == ()


CONTESTED = {
    "confirmation": "contested",
    "rerun_result": "confirmed",
    "contested_by": "ada",
    "contest_note": "the driver changed, too",
}


def test_a_contest_is_told_with_note_and_person_and_so_is_its_end(settings: Settings) -> None:
    told, contested = row("a", 0.05, confirmation="confirmed"), row("a", 0.05, **CONTESTED)
    other = row("a", 0.05, **CONTESTED | {"contest_note": "and the clock, too"})
    for name, rows in (("one", [told]), ("two", [contested]), ("three", [other]), ("four", [told])):
        published(settings, rows, name)
        if name == "two":
            news = newly_told(settings, 1)
            assert news.title == "Changes of energy: 1 contested"
            assert news.lines[0].endswith(", contested by ada (reruns: confirmed): the driver changed, too")
        if name == "three":
            assert newly_told(settings, 1).lines[0].endswith("and the clock, too")
    assert newly_told(settings, 1).lines[0].endswith(", confirmed")
    assert newly_told(settings, 3).lines == ()
