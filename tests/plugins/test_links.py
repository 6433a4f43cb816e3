"""Addresses of our pages, also of an Airflow below a path."""

from __future__ import annotations

import pytest

from jouleboard_airflow import links


@pytest.mark.parametrize(
    ("base", "prefix"), [("http://127.0.0.1:8080", ""), ("https://example.org/airflow/", "/airflow")]
)
def test_a_row_has_an_address(base: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    root = base.rstrip("/")
    assert links.row("a/b&c", "0123456789abcdef") == (
        f"{root}/plugin/leaderboard{prefix}/jouleboard/?model=a%2Fb%26c&row=0123456789abcdef"
    )
