"""How the refresh is wired; it is run whole in `test_a_release_s_story.py`."""

from __future__ import annotations

from typing import Any


def test_whoever_builds_does_so_alone_and_nobody_asks_for_ever(dags: dict[str, Any]) -> None:
    refresh = dags["refresh_leaderboard"]
    assert {refresh.get_task(name).pool for name in ("refresh", "publish_approved")} == {"duckdb_writer"}
    assert refresh.max_active_runs == 1
    assert refresh.get_task("ask_a_person").defaults == ["Reject"]
    assert 0 < refresh.params["answer_within_hours"] <= 48
