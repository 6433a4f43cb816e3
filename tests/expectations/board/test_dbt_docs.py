"""dbt's own page gets a policy before anything else in its head; the rest of it stays as it is."""

from __future__ import annotations

from pathlib import Path

from expectations.board.dbt_docs import DBT_DOCS, write_dbt_docs


def test_dbt_s_page_may_load_and_send_nothing(tmp_path: Path) -> None:
    docs = tmp_path / "static_index.html"
    docs.write_text("<html><head><script>draw()</script></head><body></body></html>")
    (tmp_path / "site").mkdir()
    write_dbt_docs(docs, tmp_path / "site")
    before, policy, after = (tmp_path / "site" / DBT_DOCS).read_text().partition("<meta ")
    assert before == "<html><head>"
    assert policy
    content, _, rest = after.partition(">")
    assert content.startswith('http-equiv="Content-Security-Policy" content="default-src \'none\'; ')
    assert "http" not in content.removeprefix("http-equiv")
    assert "connect-src" not in content
    assert rest == "<script>draw()</script></head><body></body></html>"
