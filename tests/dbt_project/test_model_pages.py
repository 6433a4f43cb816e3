"""The pages of the models: every row is there with the mart's numbers, its evidence and an address."""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.testing.waiting import until
from expectations import pages
from expectations.board.addresses import model_page_name
from expectations.board.libraries import PICTURES
from expectations.board.models import frontier, write_models
from expectations.board.models import pages as model_pages
from expectations.board.models.pages import ROOM
from expectations.board.models.pictures import Lengths, Power, length_picture, power_picture
from expectations.board.models.sections import sections
from expectations.pages.numbers import significant
from expectations.sql import rows_of
from tests.e2e.browser import CHROMIUM, Browser, running_browser

MANIFEST = {"summary": {"publication_number": 7}}
MOST_BYTES = 500_000
TITLES = {task.value: entry.display_name for task, entry in catalog.load().tasks.items()}


@pytest.fixture(scope="module")
def site(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_models(folder, marts, MANIFEST, catalog.load(), [("models.html", "Models")])
    return folder


def test_every_row_stands_on_its_model_s_page(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    models = [row[0] for row in marts.execute("select distinct model_id from marts.leaderboard").fetchall()]
    for model in models:
        text = (site / "models" / model_page_name(model, models)).read_text()
        rows = marts.execute(
            "select leaderboard_id, configuration_id, energy_per_output_joules from marts.leaderboard"
            " where model_id = ?",
            [model],
        ).fetchall()
        for leaderboard_id, configuration_id, joules in rows:
            (row,) = re.findall(rf'<tr id="{leaderboard_id}".*?</tr>', text, re.DOTALL)
            assert text.count(f'id="{configuration_id}"') == 1
            shown = "no counter" if joules is None else [significant(joules), significant(joules / 1e3)]
            assert any(number in row for number in ([shown] if joules is None else shown))
        assert len(re.findall(r'<tr id="', text)) == len(rows)


def test_a_page_lists_the_newest_and_says_how_many_more_there_are(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_pages, "RUNS_SHOWN", 1)
    monkeypatch.setattr(model_pages, "VERSIONS_SHOWN", 2)
    names = write_models(tmp_path, marts, MANIFEST, catalog.load())
    pages_text = {model: (tmp_path / name).read_text() for model, name in names.items()}
    several = marts.execute(
        "select model_id, count(*) as runs, arg_max(run_id, (started_at, run_id)) from marts.run_log join"
        " (select leaderboard_id, unnest(string_split(run_ids, ', ')) as run_id from marts.row_evidence)"
        " using (run_id) where tier <> 'published' group by leaderboard_id, model_id having runs > 1"
    ).fetchall()
    assert several
    for model, runs, newest in several:
        assert f"<wbr>{newest}</code>" in pages_text[model]
        assert f"and {runs - 1} earlier; the mart <code>run_log</code> has all" in pages_text[model]
    everything = "".join(pages_text.values())
    rows = marts.execute(
        "select count(*) from marts.row_evidence where data_source = 'jouleboard'"
    ).fetchone()
    assert rows is not None and everything.count("<wbr>") == rows[0]
    (model, comparisons), *_ = marts.execute(
        "select model_id, count(*) as comparisons from marts.runtime_version_comparison group by all"
        " having comparisons > 2"
    ).fetchall()
    _, _, versions = pages_text[model].partition('<section id="versions"')
    newest = marts.execute(
        "select old_runtime_version || ' to ' || runtime_version from marts.runtime_version_comparison"
        " join marts.release_summary using (data_source, runtime, runtime_version) where model_id = ?"
        " order by release_position desc, versions_back limit 2",
        [model],
    ).fetchall()
    assert sorted(re.findall("<tr><td>vLLM ([^<]*)</td>", versions)) == sorted(name for (name,) in newest)
    assert f"and {comparisons - 2} more, of earlier versions" in versions


def test_no_page_is_large_and_none_loads_anything(site: Path) -> None:
    for page in [*site.rglob("*.html")]:
        text = page.read_text()
        assert len(text.encode()) < MOST_BYTES, page
        shared = ['<script src="../pictures.js">'] if page.parent.name == "models" else []
        assert re.findall("<script[^>]*>", text) == shared
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
        assert "url(" not in text and "@import" not in text


def test_the_overview_has_no_comma_before_nothing(warehouse: Any, tmp_path: Path) -> None:
    """A model that was measured for speed only has no GPU beside that word."""
    with warehouse.copy() as connection:
        connection.execute("delete from marts.min_energy_configurations")
        write_models(tmp_path, connection, MANIFEST, catalog.load())
    text = (tmp_path / "models.html").read_text()
    assert "speed only</a> <small>ours</small>" in text
    assert re.findall(r"<small>\s*,[^<]*", text) == []


def test_every_id_is_used_once_and_every_link_leads_somewhere(site: Path) -> None:
    elsewhere = {"index.html", "releases.html", "gate_report.html", "about.html"}
    for page in site.rglob("*.html"):
        text = page.read_text()
        ids = Counter(re.findall(r'\sid="([^"]+)"', text))
        assert [name for name, count in ids.items() if count > 1] == []
        for address in set(re.findall(r'href="([^"]+)"', text)):
            path, _, anchor = address.partition("#")
            if address.startswith("data:") or Path(path).name in elsewhere:
                continue
            target = page.parent / path if path else page
            assert target.exists(), address
            assert not anchor or f'id="{anchor}"' in target.read_text(), address


def test_the_figure_draws_the_numbers_of_the_mart(marts: duckdb.DuckDBPyConnection) -> None:
    rows = [row for row in rows_of(marts, ROOM / "rows.sql") if row["data_source"] == "jouleboard"]
    drawn = 0
    for model in {row["model_id"] for row in rows}:
        for part in sections([row for row in rows if row["model_id"] == model], TITLES):
            layers = frontier.specification(part.rows, part.unit)["layer"] if _known(part.rows) else []
            points = [point for layer in layers[2:3] for point in layer["data"]["values"]]
            assert sorted(point["joules"] for point in points) == sorted(
                row["energy_per_output_joules"] for row in _known(part.rows)
            )
            drawn += len(points)
    assert drawn > len(TITLES)


def _known(rows: Any) -> list[Any]:
    return [
        row
        for row in rows
        if row["energy_per_output_joules"] and (row["median_itl_ms"] or row["batch_latency_seconds"])
    ]


def test_a_line_takes_the_row_that_takes_least() -> None:
    row = {
        "num_gpus": 2, "gpu_model": "B200", "batch_size": 8, "median_itl_ms": None, "frontier_id": "f",
        "batch_latency_seconds": 4.0, "is_on_frontier": True, "energy_per_output_joules": 9.0,
    }  # fmt: skip
    points = frontier.points([row, {**row, "energy_per_output_joules": 7.0}, {**row, "batch_size": 16}])
    assert [(point["joules"], point["on_line"]) for point in points] == [
        (9.0, False),
        (7.0, True),
        (9.0, True),
    ]


def test_pictures_say_their_numbers() -> None:
    power = power_picture(Power([0.0, 10.0], [10.0, 20.0], [100.0, 540.0], 10.0, 20.0))
    assert "from 0 s to 20 s, at most 540 W; steady window from 10 s to 20 s" in power
    # 300 wide with 36 for the axis: the middles 5 s and 15 s are at a quarter and three quarters of the rest.
    assert re.search(r'class="line" d="M102\.0 [\d.]+L234\.0 8\.0"', power)
    lengths = Lengths([0.0, 10.0], [10.0, 20.0], [1, 3])
    assert lengths.quantile(0.25) == 10.0
    assert lengths.quantile(0.5) == pytest.approx(10 + 10 / 3)
    assert "Lengths of 4 answers: half have at most 13 tokens" in length_picture(lengths, 0.5)
    assert "20 tokens = 10 J" in length_picture(lengths, 0.5)


def test_hostile_text_stays_text(warehouse: Any, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
    with warehouse.copy() as connection:
        names = {
            "leaderboard": ("nickname", "organisation", "model_architecture", "model_id", "gpu_model",
                            "runtime_version", "weights", "request_set_id", "length_control", "task"),
            "row_evidence": ("host_names", "warned_by", "throttle_reasons", "driver_versions"),
            "run_log": ("sweep_id", "host"),
            "runtime_version_comparison": ("old_runtime_version", "energy_verdict", "gpu_model"),
        }  # fmt: skip
        for table, columns in names.items():
            for column in columns:
                connection.execute(
                    f"update marts.{table} set {column} = ? where data_source = 'jouleboard'", [hostile]
                )
        write_models(tmp_path, connection, MANIFEST, catalog.load())
    text = (tmp_path / "models" / model_page_name(hostile)).read_text()
    assert text.count("&lt;script&gt;") > len(names)
    whole = text.replace('<script src="../pictures.js">', "") + (tmp_path / "models.html").read_text()
    assert not re.search(r"<(script|img)", whole)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("headless Chromium is not installed")
    with running_browser(tmp_path_factory.mktemp("profile")) as running:
        running.call("Page.setBypassCSP", enabled=True)
        yield running


def test_every_picture_is_saved_as_png_and_svg(site: Path, browser: Browser, tmp_path: Path) -> None:
    """Made in the page, opened from a folder: its figures, and the small pictures of a row's evidence."""
    shutil.copy(Path(pages.__file__).parent / PICTURES, site)
    browser.open((site / "models" / "qwen-qwen3-8b.html").as_uri())
    until(lambda: browser.evaluate("!!document.querySelector('button.take')"), 30, "the buttons")
    drawn = "document.querySelectorAll('figure svg, svg.picture').length"
    offered = "[...document.querySelectorAll('button.take')].filter((b) => b.textContent === 'PNG').length"
    assert browser.evaluate(drawn) == browser.evaluate(offered) > 2
    browser.downloads_to(tmp_path)
    browser.evaluate("document.querySelector('figcaption button.take').click()")
    browser.evaluate("document.querySelector('.pictures button.take').click()")
    (png,) = until(lambda: [*tmp_path.glob("*.png")], 30, "the picture")
    (svg,) = until(lambda: [*tmp_path.glob("*.svg")], 30, "the drawing")
    content = until(png.read_bytes, 30, "its bytes")
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    box = "(({ width, height }) => [2 * width, 2 * height].map(Math.round).join())"
    assert f"{width},{height}" == browser.evaluate(
        f"{box}(document.querySelector('figure svg').viewBox.baseVal)"
    )
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in svg.read_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["models.html", "models/qwen-qwen3-8b.html"])
def test_axe_finds_no_barrier(browser: Browser, site: Path, page: str, theme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.call("Emulation.setEmulatedMedia", features=features)
    assert violations(browser, site / page) == []


def test_a_narrow_screen_does_not_scroll_sideways(browser: Browser, site: Path) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=False
    )
    for page in ("models.html", "models/qwen-qwen3-8b.html"):
        opened(browser, site / page)
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), page
    browser.call("Emulation.clearDeviceMetricsOverride")


def opened(browser: Browser, page: Path) -> None:
    """Open a page of the site and wait until it is there."""
    browser.open("about:blank")
    browser.open(f"file://{page}")
    until(
        lambda: browser.evaluate(f"document.readyState === 'complete' && location.href.endsWith('{page}')"),
        30,
        str(page),
    )


def violations(browser: Browser, page: Path) -> list[Any]:
    """What axe finds on a page with all its details open: rule and the first elements."""
    opened(browser, page)
    browser.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    axe = (files("axe_core_python") / "axe.min.js").read_text()
    browser.call(
        "Runtime.evaluate", expression=f"{axe}; axe.run().then((all) => {{ window.found = all; }}); 0"
    )
    until(lambda: browser.evaluate("!!window.found"), 30, "axe")
    said = "found.violations.map((rule) => [rule.id, rule.nodes.slice(0, 3).map((node) => node.html)])"
    return list(json.loads(browser.evaluate(f"JSON.stringify({said})")))
