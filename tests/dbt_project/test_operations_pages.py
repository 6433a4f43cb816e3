"""The pages on releases, load, cost, quarantine and publications: their numbers are the marts'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from markupsafe import escape

from benchmark_tasks import catalog
from expectations.board.about import write_about
from expectations.board.addresses import navigation, release_page_name
from expectations.board.libraries import write_libraries
from expectations.board.models import write_models
from expectations.board.operations import pages, write_operations
from expectations.board.releases import pages as release_pages
from expectations.board.releases import write_releases
from expectations.board.releases.interval import interval_picture
from expectations.gate import report
from expectations.gate.auditor import Audit, CheckResult
from expectations.history import release_news
from expectations.pages import render_page
from expectations.pages.numbers import exact_per_cent, number
from expectations.suites.checks import Check, GateFinding, Level, Severity
from tests.dbt_project.test_model_pages import browser, opened, violations
from tests.e2e.browser import Browser

__all__ = ["browser"]

PAGES = (
    *("releases.html", "load.html", "images.html", "prices.html"),
    *("ledger.html", "quarantine.html", "publications.html"),
)
OTHERS = (
    "about.html",
    "gate_report.html",
    "docs.html",
    "docs-methodology.html",
    "releases/vllm-0.27.0.html",
)
DARK = ("releases.html", "ledger.html", "gate_report.html", "about.html")
SUMMARY = {
    "publication_number": 2,
    "published_at": "2026-11-21T00:00:00+00:00",
    "git_commit": "c0ffee",
    "note": "second <b>note</b>",
    "row_count": 12,
    "run_count": 9,
    "gate_verdict": "passed",
}
MANIFEST = {
    "summary": SUMMARY,
    "history": [{**SUMMARY, "publication_number": 1, "note": "first"}],
    "tables": {"leaderboard": {"rows": 12}},
}
FAILED = Check("run_completed", Severity.CRITICAL, "the run did not complete", not_null=True)


def write(folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
    links = navigation([])
    models = write_models(folder, connection, MANIFEST, catalog.load(), links)
    write_operations(folder, connection, MANIFEST, catalog.load(), links, models)
    write_releases(folder, connection, MANIFEST, catalog.load(), links, models)


@pytest.fixture(scope="module")
def site(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operations")
    write(folder, marts)
    write_about(folder, MANIFEST, navigation([]), {"Qwen/Qwen3-8B": "models/qwen-qwen3-8b.html"}, [])
    findings = [GateFinding("run_completed", FAILED.severity, f"run-{i}", "failed", "x") for i in range(3)]
    audit = Audit((CheckResult(Level.RUN, "runs", FAILED, 9, tuple(findings)),))
    report.write(audit, folder, "Gate report of publication 2", navigation([]))
    write_libraries(folder)
    return folder


def test_releases_say_the_verdicts_of_the_mart(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "releases.html").read_text()
    rows = marts.execute(
        "select energy_change, energy_verdict from marts.runtime_version_comparison"
        " where energy_change is not null"
    ).fetchall()
    assert rows
    for change, verdict in rows:
        assert f"<td>{exact_per_cent(change)}" in text
        assert f">{verdict}</span>" in text
    versions = set(re.findall(r'<th scope="row">vLLM</th><td>([^<]+)</td>', text))
    assert versions == {
        row[0]
        for row in marts.execute(
            "select distinct runtime_version from marts.leaderboard"
            " where data_source = 'jouleboard' and runtime = 'vllm'"
        ).fetchall()
    }


@pytest.mark.parametrize(
    ("shown", "oldest", "pairs", "more"),
    [  # as text, 0.5.0 is after 0.26.0, and 0.10.0 before it
        (1, "0.5.0", ["vLLM 0.26.0 to 0.27.0"], "and 1 more pair of earlier versions; the mart"),
        (2, "0.10.0", ["vLLM 0.26.0 to 0.27.0", "vLLM 0.10.0 to 0.27.0"], None),
    ],
)
def test_releases_compare_the_newest_versions_first_and_say_how_many_more_there_are(
    warehouse: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shown: int,
    oldest: str,
    pairs: list[str],
    more: str | None,
) -> None:
    monkeypatch.setattr(release_pages, "PAIRS_SHOWN", shown)
    with warehouse.copy() as connection:
        for added in (
            f"marts.runtime_version_comparison select * replace ('{oldest}' as old_runtime_version)",
            f"marts.release_summary select * replace ('{oldest}' as runtime_version, 0 as release_position)",
            f"marts.release_history select * replace ('{oldest}' as runtime_version)",
        ):
            table = added.split()[0]
            connection.execute(f"insert into {added} from {table} where runtime_version = '0.27.0'")
        write_releases(tmp_path, connection, MANIFEST, catalog.load(), navigation([]), {})
    text = (tmp_path / "releases.html").read_text()
    assert re.findall('<h2 id="pair-[0-9]+">([^<]*)</h2>', text) == pairs
    assert more is None or more in text
    assert more is not None or "more pair" not in text


CAMPAIGN: dict[str, Any] = {
    "campaign_id": "c",
    "started_at": datetime(2026, 11, 28, tzinfo=UTC),
    "finished_at": datetime(2026, 11, 28, tzinfo=UTC),
    "model_names": ["A model"],
    "measured_tasks": ["gpqa"],
    "gpus": ["H200"],
    "measured_runtimes": [{"title": "vllm", "version": "0.32.0"}],
    "configurations": 1,
    "runs": 2,
    "failed_runs": 0,
    "accepted_runs": 2,
    "gpu_hours": 4.0,
    "energy_kwh": None,
    "known_energy_kwh": None,
    "runs_without_energy": 2,
}


@pytest.mark.parametrize(
    ("others", "facts"),
    [
        ([], ("4.00 GPU-hours", "energy not known")),
        ([CAMPAIGN | {"gpu_hours": None, "known_energy_kwh": 3.0}], ("more than 4.00 GPU-hours", "3.00 kWh")),
        ([CAMPAIGN | {"energy_kwh": 3.0, "known_energy_kwh": 3.0}], ("8.00 GPU-hours", "3.00 kWh")),
    ],
)
def test_what_nobody_knows_costs_not_zero(
    monkeypatch: pytest.MonkeyPatch, others: list[dict[str, Any]], facts: tuple[str, str]
) -> None:
    answers = {"campaigns.sql": [CAMPAIGN, *others], "row_costs.sql": [], "savings.sql": []}
    monkeypatch.setattr(pages, "rows_of", lambda _, file: answers[file.name])
    values = pages.ledger(duckdb.connect(), {})
    text = render_page(
        "board/operations/ledger.html", summary=SUMMARY, links=navigation([]), models={}, tasks={}, **values
    )
    assert tuple(re.findall("<li><strong>([^<]*)</strong>", text))[:2] == facts
    assert text.count("not known</td>") == 1 + sum(each["gpu_hours"] is None for each in others)


def test_every_release_has_a_page_with_its_changes_in_words(
    marts: duckdb.DuckDBPyConnection, site: Path
) -> None:
    index = (site / "releases.html").read_text()
    for runtime, version in marts.execute(
        "select runtime, runtime_version from marts.release_summary"
    ).fetchall():
        page = f"releases/{release_page_name(runtime, version)}"
        assert f'href="{page}"' in index
        text = (site / page).read_text()
        news = release_news(marts, runtime, version)
        assert news is not None
        assert all(escape(line) in text for line in (news.title, *news.lines))
        rows = marts.execute(
            "select count(*) from marts.release_history where runtime = ? and runtime_version = ?",
            [runtime, version],
        ).fetchall()
        assert text.count('<tr><th scope="row">') == rows[0][0]
    assert "energy per token -20.0 %" in (site / "releases/vllm-0.27.0.html").read_text()


def test_the_ledger_has_every_campaign_and_every_row(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "ledger.html").read_text()
    for campaign, hours in marts.execute(
        "select campaign_id, gpu_hours from marts.campaign_ledger"
    ).fetchall():
        (row,) = [line for line in text.split("<tr>") if f"<code>{campaign}</code>" in line]
        assert f">{number(hours)}</td>" in row
        models = marts.execute(
            "select distinct nickname from marts.run_log where coalesce(sweep_id, run_id) = ?", [campaign]
        ).fetchall()
        assert re.findall(r'<th scope="row" class="several">(.*?)[,<]', row)[0] in {
            name for (name,) in models
        }
    rows = marts.execute(
        "select leaderboard_id, gpu_seconds from marts.row_evidence where data_source = 'jouleboard'"
    ).fetchall()
    for leaderboard_id, seconds in rows:
        cells = [row for row in text.split("<tr>") if f"#{leaderboard_id}" in row]
        assert [f">{number(seconds)}</td>" in row for row in cells] == [True]


def test_load_says_what_is_not_measured(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "load.html").read_text()
    assert "Not measured yet: a configuration whose requests arrive by themselves" in text
    assert "jouleboard measure --model MODEL" in text
    (idle,) = marts.execute(
        "select avg(idle_watts_loaded)"
        " from marts.row_evidence inner join marts.leaderboard using (leaderboard_id)"
        " where model_id = 'Qwen/Qwen3-8B' and task = 'lm-arena-chat' and num_gpus = 2"
        " and leaderboard.data_source = 'jouleboard'"
    ).fetchall()[0]
    assert f">{number(idle)}</td>" in text


def test_images_say_what_is_not_measured_and_what_measures_it(site: Path) -> None:
    text = (site / "images.html").read_text()
    assert "Not measured yet: an image or video model with more than one number of steps" in text
    assert "jouleboard measure --plan recorded_runs/plans/diffusion-knobs.json" in text
    assert "<figure" not in text and not (site / "figures/jouleboard-diffusion_energy_surface.csv").exists()


def test_quarantine_is_grouped_by_what_failed(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "quarantine.html").read_text()
    counts = marts.execute("select failed_checks, count(*) from marts.quarantine group by all").fetchall()
    assert len(re.findall("<details", text)) == len(counts)
    for checks, count in counts:
        assert f"<summary>{count} run{'' if count == 1 else 's'}: <code>{checks}</code>" in text


def test_publications_say_what_came_and_went(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "publications.html").read_text()
    changes = dict(
        marts.execute("select change, count(*) from marts.publication_changes group by all").fetchall()
    )
    assert f"<strong>{changes['came']:,}</strong><small>rows that came" in text
    assert "<strong>1</strong><small>rows that went" in text
    assert "A model that is no longer here" in text
    assert "since publication 1" in text
    assert re.findall(r'<tr><th scope="row" class="number">(\d)', text) == ["2", "1"]
    assert "second &lt;b&gt;note" in text


def test_every_link_leads_to_a_page_or_a_row(site: Path) -> None:
    elsewhere = {"index.html", "gate_report.html", "about.html", "feed.xml"}
    for page in (*(site / name for name in PAGES), *(site / "releases").iterdir()):
        for address in set(re.findall(r'href="([^"]+)"', page.read_text())):
            path, _, anchor = address.partition("#")
            if address.startswith("data:") or path.removeprefix("../") in elsewhere:
                continue
            assert (page.parent / path).exists(), address
            assert not anchor or f'id="{anchor}"' in (page.parent / path).read_text(), address


def test_no_change_has_no_sign_of_its_own() -> None:
    assert exact_per_cent(-0.0004) == "+0.0 %"


def test_a_change_is_drawn_to_scale() -> None:
    picture = interval_picture(-0.05, -0.04, -0.03, 0.05)
    assert "-4.0 %, 95 % interval -5.0 % to -3.0 %" in picture
    assert 'd="M1.6 7.0H17.0"' in picture  # 40 is zero, 38.4 to either side the widest
    assert interval_picture(None, 0.1, None, 0.1) == ""


def test_hostile_text_stays_text(warehouse: Any, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(f"attach '{warehouse.built.database}' as candidate (read_only)")
        columns = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns()"
            " where database_name = 'candidate' and schema_name = 'marts'"
        ).fetchall()
        for table in {name for name, *_ in columns}:
            texts = [
                f"$1 as {column}"
                for name, column, kind in columns
                if name == table and kind == "VARCHAR"
                if not column.endswith(("_id", "change", "run_ids", "data_source"))
            ]
            chosen = f"* replace ({', '.join(texts)})" if texts else "*"
            given = [hostile] if texts else []
            connection.execute(
                f"create table marts.{table} as select {chosen} from candidate.marts.{table}", given
            )
        write(tmp_path, connection)
    for page in tmp_path.rglob("*.html"):
        text = page.read_text().replace('<script src="../pictures.js">', "")
        assert not re.search(r"<(script|img)", text), page
    assert "&lt;script&gt;" in (tmp_path / "publications.html").read_text()


@pytest.mark.parametrize(
    ("page", "theme"), [*((page, "light") for page in (*PAGES, *OTHERS)), *((page, "dark") for page in DARK)]
)
def test_axe_finds_no_barrier(browser: Browser, site: Path, page: str, theme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.call("Emulation.setEmulatedMedia", features=features)
    assert violations(browser, site / page) == []


def test_no_page_is_wider_than_a_narrow_screen(browser: Browser, site: Path) -> None:
    with screen(browser, 360):
        for page in (*PAGES, *OTHERS, *(path.name for path in site.glob("docs-*.html"))):
            opened(browser, site / page)
            assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), page


def test_no_table_of_cost_or_releases_is_cut_on_a_usual_screen(browser: Browser, site: Path) -> None:
    with screen(browser, 1400):
        for page in ("ledger.html", "releases.html"):
            opened(browser, site / page)
            cut = "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth + 1)"
            assert browser.evaluate(f"{cut}.length") == 0, page


def test_without_a_script_every_page_shows_what_it_has(browser: Browser, site: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for page in (*PAGES, *OTHERS, "models.html", "models/qwen-qwen3-8b.html"):
            opened(browser, site / page)
            words = browser.evaluate("document.querySelector('main').innerText.length")
            assert words > 40, page
        pictures = "document.querySelectorAll('figure svg').length"
        assert browser.evaluate(pictures) > 0  # of the model's page
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_every_page_has_a_policy_and_none_may_compile_text(site: Path) -> None:
    for page in site.rglob("*.html"):
        (policy,) = re.findall(
            r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page.read_text()
        )
        assert policy.startswith("default-src 'none'; "), page
        assert "unsafe-eval" not in policy
        assert "http" not in policy


def test_links_of_the_documentation_lead_to_pages_of_the_site(site: Path) -> None:
    pages = [site / "about.html", site / "docs.html", *site.glob("docs-*.html")]
    assert len(pages) > 20
    for page in pages:
        for address in set(re.findall(r'href="([^"]+)"', page.read_text())):
            path, _, anchor = address.partition("#")
            if re.match(r"[a-z]+:", address) or not path.startswith("docs") or not anchor:
                continue
            assert f'id="{anchor}"' in (site / path).read_text(), f"{page.name}: {address}"
        assert not re.search(r'href="[^":]*[.]md', page.read_text()), page


@contextmanager
def screen(browser: Browser, width: int) -> Iterator[None]:
    """A screen of this width."""
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    yield
    browser.call("Emulation.clearDeviceMetricsOverride")
