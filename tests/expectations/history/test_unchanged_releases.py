"""Which release stands in for rows that canaries call unchanged."""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmark_tasks.settings import Settings
from expectations.history.canaries import unchanged_releases
from tests.expectations.publishing import make_candidate, publish


def test_a_server_with_variables_of_its_own_stands_in_for_no_release(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    candidate = make_candidate(tmp_path / "candidate.duckdb", rows=3)
    until = ("0.27.1", "0.27.1+environment.3061185e", "0.26.0")
    with duckdb.connect(str(candidate)) as connection:
        for column in ("data_source", "runtime", "gpu_model", "canaries_unchanged_until"):
            connection.execute(f"alter table marts.leaderboard add column if not exists {column} varchar")
        connection.execute(
            "update marts.leaderboard set data_source = 'jouleboard', runtime = 'vllm', gpu_model = 'H200'"
        )
        for number, version in enumerate(until):
            connection.execute(
                "update marts.leaderboard set canaries_unchanged_until = ? where rowid = ?", [version, number]
            )
    publish(settings, candidate, "unchanged")
    assert unchanged_releases(settings) == {("vllm", "H200"): "0.27.1"}
