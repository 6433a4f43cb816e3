"""About, the Atom feed and llms.txt: complete, well-formed, and closed to what data could inject."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from expectations.board.about import write_about
from expectations.board.about.documents import write_documents
from expectations.board.about.pages import feed, glossary
from expectations.board.addresses import navigation
from expectations.board.releases import Release
from expectations.history import ReleaseNews

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "<script>alert(1)</script>&\x08\n\"'"


def entry(number: int, note: str | None = None) -> dict[str, Any]:
    return {
        "publication_number": number,
        "published_at": f"2026-11-{number:02}T12:00:00+00:00",
        "git_commit": "c0ffee",
        "note": note,
        "row_count": 10 * number,
        "run_count": number,
        "gate_verdict": "passed",
    }


MANIFEST = {
    "summary": entry(3, HOSTILE),
    "history": [entry(1), entry(2, "second")],
    "tables": {"leaderboard": {"rows": 30}},
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    models = {f"some/{HOSTILE}": "models/some.html"}
    write_about(tmp_path, MANIFEST, navigation(["jouleboard"]), models, ["jouleboard"])
    return tmp_path


def test_the_feed_has_an_entry_per_publication_the_newest_first(site: Path) -> None:
    root = ElementTree.parse(site / "feed.xml").getroot()
    titles = [item.findtext(f"{ATOM}title") for item in root.iter(f"{ATOM}entry")]
    assert titles == ["Publication 3: 30 rows", "Publication 2: 20 rows", "Publication 1: 10 rows"]
    assert root.findtext(f"{ATOM}updated") == "2026-11-03T12:00:00+00:00"
    ids = [element.text for element in root.iter(f"{ATOM}id")]
    assert len(set(ids)) == 4
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", text or "") for text in ids)
    summaries = [item.findtext(f"{ATOM}summary") or "" for item in root.iter(f"{ATOM}entry")]
    assert "<script>alert(1)</script>" in summaries[0]  # as text


def test_the_feed_has_an_entry_per_release_that_stays_the_same() -> None:
    news = ReleaseNews("vLLM 0.27.0: 1 measured", ("energy per token -3.3 %", f"of {HOSTILE}"))
    measured = datetime(2026, 11, 2, 13, tzinfo=UTC)
    summary = {"runtime": "vllm", "runtime_version": "0.27.0", "last_finished_at": measured}
    release = Release(summary, "releases/vllm-0.27.0.html", news, ())
    entries = feed(MANIFEST, [release])["entries"]
    assert [item["title"] for item in entries] == [
        "Publication 3: 30 rows",
        "vLLM 0.27.0: 1 measured",
        "Publication 2: 20 rows",
        "Publication 1: 10 rows",
    ]
    assert entries[1]["page"] == "releases/vllm-0.27.0.html"
    assert entries[1]["updated"] == "2026-11-02T13:00:00+00:00"
    assert "\x08" not in entries[1]["summary"]
    history = [*MANIFEST["history"], MANIFEST["summary"]]
    later = feed({**MANIFEST, "history": history, "summary": entry(4)}, [release])
    assert entries[1]["id"] in {item["id"] for item in later["entries"]}


def test_ids_of_the_feed_stay_the_same() -> None:
    later = feed({**MANIFEST, "history": [*MANIFEST["history"], MANIFEST["summary"]], "summary": entry(4)})
    assert later["feed_id"] == feed(MANIFEST)["feed_id"]
    assert [item["id"] for item in later["entries"]][1:] == [item["id"] for item in feed(MANIFEST)["entries"]]


def test_llms_txt_names_pages_tables_and_models(site: Path) -> None:
    text = (site / "llms.txt").read_text()
    assert "[OpenAPI](../api/v1/openapi.json)" in text
    assert text.startswith("# Jouleboard\n\n> ")
    addresses = re.findall(r"\]\(([^)]+)\)", text)
    assert {"models.html", "reading-jouleboard.html", "../parquet/leaderboard.parquet"} <= set(addresses)
    assert "models/some.html" in addresses
    assert "publication 3 of 2026-11-03: 30 rows" in text


def test_about_has_the_glossary_and_how_to_cite(site: Path) -> None:
    text = (site / "about.html").read_text()
    assert "Jouleboard, publication 3, 2026-11-03, commit c0ffee." in text
    terms = re.findall(r"<dt>\s*<strong>([^<]+)</strong>", text)
    assert {"Configuration", "Batch size", "Publication"} <= set(terms)
    written = re.findall(
        r"^\*\*([^*]+)\*\*$", (Path(__file__).parents[3] / "docs/glossary.md").read_text(), re.M
    )
    assert terms == written
    assert "<script" not in text


def test_a_link_to_a_file_that_has_no_page_is_text(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "how-to").mkdir(parents=True)
    (docs / "gate.md").write_text(
        "# Gate\n\n[a](how-to/add-a-check.md#tried) [b](../Makefile) [c](https://x.org)"
    )
    (docs / "how-to" / "add-a-check.md").write_text("# Add a check\n\n## Tried\n\n[gate](../gate.md)")
    assert write_documents(tmp_path, MANIFEST, [], docs)
    gate = (tmp_path / "docs-gate.html").read_text()
    assert '<a href="docs-how-to-add-a-check.html#tried">a</a> b <a href="https://x.org">c</a>' in gate
    check = (tmp_path / "docs-how-to-add-a-check.html").read_text()
    assert '<h2 id="tried">' in check and '<a href="docs-gate.html">gate</a>' in check
    listed = re.findall(r'<li><a href="([^"]+)">', (tmp_path / "docs.html").read_text().split("<main>")[1])
    assert listed == ["docs-gate.html", "docs-how-to-add-a-check.html"]


def test_without_the_documentation_the_page_says_where_it_is(tmp_path: Path) -> None:
    assert not write_documents(tmp_path, MANIFEST, [], tmp_path / "docs")
    assert glossary(tmp_path / "glossary.md") == ""
