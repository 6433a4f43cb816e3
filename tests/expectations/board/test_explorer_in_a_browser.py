"""The explorer in a real browser: what it shows is what a query on the mart says."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest
from packaging.version import Version

from benchmark_tasks.testing.waiting import until
from expectations.board import libraries
from tests.e2e.browser import CHROMIUM, Browser, running_browser
from tests.expectations.board.marts import HOSTILE, write_leaderboard
from tests.expectations.board.test_explorer import page_over

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="headless Chromium is not installed")

ERRORS = (
    "window.errors = []; addEventListener('error', (event) => errors.push(event.message));"
    "addEventListener('unhandledrejection', (event) => errors.push(String(event.reason)));"
    "for (const level of ['error', 'warn']) console[level] = (...words) => errors.push(words.join(' '));"
)


class Site:
    """The page of a leaderboard, opened from its folder."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder, self.browser = folder, browser
        self.database = folder / "leaderboard.duckdb"

    def open(self, address: str = "") -> None:
        self.browser.open("about:blank")
        self.browser.open(f"file://{self.folder}/index.html{address}")
        parts = (
            "explorer.choice.view === 'compare' ? [explorer.comparison] : [explorer.table, explorer.figure]"
        )
        self.until(f"window.explorer && ({parts}).every((part) => part?.ready)")

    def until(self, expression: str) -> Any:
        return until(lambda: self.browser.evaluate(expression), 30, expression)

    def settled(self) -> None:
        """Wait until the figure shows the choice and the address says it."""
        self.browser.evaluate("settled = null; explorer.drawing.then(() => { settled = true; })")
        self.until("settled && location.hash.slice(1) === explorer.written")

    def shown(self) -> list[str]:
        """Ids of the table's rows, in order."""
        rows = "JSON.stringify(explorer.table.tabulator.getData('active').map((row) => row.leaderboard_id))"
        return list(json.loads(self.browser.evaluate(rows)))

    def query(self, sql: str) -> list[Any]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def ids(self, condition: str, least: bool = True, energy: str = "energy_per_output_joules") -> list[str]:
        """Ids that the mart has under a condition, by energy."""
        nearest = "case weights when 'real' then 0 when 'stand-in.1' then 1 else 2 end"
        order = f"{nearest}, {energy}, batch_size, leaderboard_id"
        rank = f"row_number() over (partition by model_id order by {order})"
        qualify = f"qualify {rank} = 1" if least else ""
        rows = self.query(
            f"select leaderboard_id from marts.leaderboard where {condition} {qualify} order by {energy}"
        )
        return [row[0] for row in rows]

    def said(self) -> list[Any]:
        """The table's rows, the sentence and the ceiling's controls."""
        parts = (
            "answer').textContent",
            "latency-slider').value",
            "latency-box').value",
            "percentile').value",
        )
        return [self.shown(), *(self.browser.evaluate(f"byId('{part}") for part in parts)]

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key pressed and released."""
        for kind in ("keyDown", "keyUp"):
            self.browser.call(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=code, **({"text": text} if text else {}),
            )  # fmt: skip

    def errors(self) -> list[str]:
        return list(json.loads(self.browser.evaluate("JSON.stringify(errors)")))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The pointer pressed, moved and released."""
        for kind, (x, y), buttons in (
            ("mouseMoved", start, 0),
            ("mousePressed", start, 1),
            ("mouseMoved", ((start[0] + end[0]) / 2, end[1]), 1),
            ("mouseMoved", end, 1),
            ("mouseReleased", end, 0),
        ):
            button = "none" if kind == "mouseMoved" and not buttons else "left"
            self.browser.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=1
            )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    write_leaderboard(folder / "leaderboard.duckdb")
    add_a_second_source(folder / "leaderboard.duckdb")
    (folder / "index.html").write_text(page_over(folder / "leaderboard.duckdb"))
    libraries.write_libraries(folder)
    with running_browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=ERRORS)
        yield Site(folder, browser)


def add_a_second_source(database: Path) -> None:
    """Rows of images that others published."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "insert into marts.leaderboard select * replace (md5(leaderboard_id) as leaderboard_id,"
            " 'mlenergy-v3' as data_source, energy_per_output_joules * 2 as energy_per_output_joules)"
            " from marts.leaderboard where task = 'text-to-image' and gpu_model <> 'H200'"
        )


CHAT = "task = 'lm-arena-chat'"
OUR_IMAGES = "task = 'text-to-image' and data_source = 'jouleboard'"
CHOICES = {
    "": CHAT,
    "#latency=12": f"{CHAT} and median_itl_ms <= 12",
    "#percentile=p95&latency=14.5": f"{CHAT} and p95_itl_ms <= 14.5",
    "#ttft=60&ttft-percentile=p99": f"{CHAT} and p99_ttft_ms <= 60",
    "#energy=0.35&latency=20": f"{CHAT} and energy_per_output_joules <= 0.35 and median_itl_ms <= 20",
    "#gpu=H100&gpu=H200&gpus=2": f"{CHAT} and gpu_model in ('H100', 'H200') and num_gpus = 2",
    "#precision=fp8&version=0.26.0": f"{CHAT} and weight_precision = 'fp8' and runtime_version = '0.26.0'",
    "#organisation=Organisation+1&text=MODEL-4": (
        f"{CHAT} and organisation = 'Organisation 1' and model_id like '%model-4%'"
    ),
    "#weights=stand-in.1&weights=dummy": f"{CHAT} and weights in ('stand-in.1', 'dummy')",
    "#task=text-to-image&latency=8": f"{OUR_IMAGES} and batch_latency_seconds <= 8",
    "#task=text-to-image&source=mlenergy-v3&gpu=B200": (
        "task = 'text-to-image' and data_source = 'mlenergy-v3' and gpu_model = 'B200'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("address", CHOICES)
def test_the_table_is_what_a_query_says(site: Site, address: str) -> None:
    site.open(address)
    wanted = site.ids(CHOICES[address])
    assert wanted
    assert site.shown() == wanted
    models = site.query(f"select count(distinct model_id) from marts.leaderboard where {CHOICES[address]}")
    assert str(models[0][0]) in site.browser.evaluate("byId('answer').textContent").split(".")[0]
    joined = "&" if address else "#"
    site.open(f"{address}{joined}show=all")
    assert site.shown() == site.ids(CHOICES[address], least=False)
    assert site.errors() == []


def test_energy_per_response_chooses_by_it(site: Site) -> None:
    site.open("#per=response&energy=60")
    condition = f"{CHAT} and energy_per_response_joules <= 60"
    assert set(site.shown()) == set(site.ids(condition, energy="energy_per_response_joules"))


def test_the_frontier_is_what_a_query_says(site: Site) -> None:
    site.open("#show=all&percentile=p99&latency=60")
    drawn = json.loads(
        site.browser.evaluate("JSON.stringify(explorer.figure.view.data('frontier').map((p) => p.id))")
    )
    rows = f"(select * from marts.leaderboard where {CHAT} and p99_itl_ms <= 60)"
    wanted = site.query(
        f"select leaderboard_id from {rows} a where not exists (from {rows} b"
        " where b.p99_itl_ms <= a.p99_itl_ms and b.energy_per_output_joules <= a.energy_per_output_joules"
        " and b.leaderboard_id <> a.leaderboard_id)"
    )
    assert set(drawn) == {row[0] for row in wanted}
    assert len(wanted) > 2


def test_numbers_of_the_figure_are_the_marts(site: Site) -> None:
    site.open("#show=all")
    points = json.loads(
        site.browser.evaluate(
            "JSON.stringify(explorer.figure.view.data('points')"
            ".map((p) => [p.id, p.x, p.y / explorer.scope.energy.factor]))"
        )
    )
    rows = site.query(
        f"select leaderboard_id, median_itl_ms, energy_per_output_joules from marts.leaderboard where {CHAT}"
    )
    assert {row[0]: (pytest.approx(row[1], rel=1e-5), pytest.approx(row[2], rel=1e-5)) for row in rows} == {
        name: (x, y) for name, x, y in points
    }


def test_points_over_a_ceiling_that_is_on_no_axis_are_faint(site: Site) -> None:
    site.open("#show=all&ttft=60&ttft-percentile=p99")
    late = "explorer.figure.view.data('points').filter((point) => point.late).map((point) => point.id)"
    rows = site.query(
        f"select leaderboard_id from marts.leaderboard where {CHAT} and coalesce(p99_ttft_ms > 60, true)"
    )
    assert 0 < len(rows) < 252
    assert set(json.loads(site.browser.evaluate(f"JSON.stringify({late})"))) == {row[0] for row in rows}


def test_another_percentile_is_another_column_of_the_same_table(site: Site) -> None:
    site.open("#show=all")
    site.browser.evaluate("table = explorer.table.tabulator; 0")
    site.browser.evaluate(
        "byId('percentile').value = 'p95'; byId('percentile').dispatchEvent(new Event('change'))"
    )
    site.settled()
    shown = "table.getColumns().filter((column) => column.isVisible()).map((column) => column.getField())"
    fields = json.loads(site.browser.evaluate(f"JSON.stringify({shown})"))
    assert "p95_itl_ms" in fields
    assert "median_itl_ms" not in fields
    assert site.browser.evaluate("table === explorer.table.tabulator")
    cell = "document.querySelector('#table .tabulator-row [tabulator-field=p95_itl_ms]')"
    (first, *_) = site.shown()
    [(latency,)] = site.query(f"select p95_itl_ms from marts.leaderboard where leaderboard_id = '{first}'")
    assert float(site.browser.evaluate(f"{cell}.textContent")) == pytest.approx(latency, rel=6e-3)
    assert site.browser.evaluate(f"{cell}.offsetWidth > 0")
    assert site.errors() == []


def test_the_csv_is_the_mart(site: Site, tmp_path: Path) -> None:
    site.open("#show=all&gpu=B200&latency=15")
    site.browser.downloads_to(tmp_path)
    for name in ("csv", "json"):
        site.browser.evaluate(f"byId({name!r}).click()")
    file = tmp_path / "jouleboard-7-lm-arena-chat.csv"
    until(file.exists, 30, "the CSV")
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
    condition = f"{CHAT} and gpu_model = 'B200' and median_itl_ms <= 15"
    assert [row["leaderboard_id"] for row in rows] == site.ids(condition, least=False)
    stored = site.query(
        f"select model_id, nickname, num_gpus, batch_size, energy_per_output_joules, median_ttft_ms"
        f" from marts.leaderboard where {condition} order by energy_per_output_joules"
    )
    for row, (model, nickname, gpus, batch, joules, ttft) in zip(rows, stored, strict=True):
        assert (row["model_id"], row["nickname"]) == (model, nickname)
        assert (int(row["num_gpus"]), int(row["batch_size"])) == (gpus, batch)
        assert float(row["energy_per_output_joules"]) == pytest.approx(joules, rel=1e-5)
        assert row["median_ttft_ms"] == "" if ttft is None else float(row["median_ttft_ms"]) == ttft
    assert HOSTILE in {row["nickname"] for row in rows}
    saved = until((tmp_path / "jouleboard-7-lm-arena-chat.json").exists, 30, "the JSON")
    assert saved
    document = json.loads((tmp_path / "jouleboard-7-lm-arena-chat.json").read_text())
    assert [row["leaderboard_id"] for row in document["rows"]] == [row["leaderboard_id"] for row in rows]


def test_the_figure_is_saved_as_svg_and_png(site: Site, tmp_path: Path) -> None:
    site.open("#latency=12")
    site.browser.downloads_to(tmp_path)
    for name in ("svg", "png"):
        site.browser.evaluate(f"byId({name!r}).click()")
        until((tmp_path / f"jouleboard-7-lm-arena-chat.{name}").exists, 30, name)
    svg = (tmp_path / "jouleboard-7-lm-arena-chat.svg").read_text()
    assert "Our measurements; each model" in svg
    assert "publication 7" in svg
    assert "var(" not in svg
    assert (tmp_path / "jouleboard-7-lm-arena-chat.png").read_bytes().startswith(b"\x89PNG")


def test_the_dragged_line_filters_and_its_address_restores_everything(site: Site) -> None:
    site.open("#percentile=p90&gpu=B200&show=all&sort=-batch_size&columns=batch_size,organisation")
    place = json.loads(
        site.browser.evaluate(
            "byId('figure').scrollIntoView(); (() => { const box = byId('figure').getBoundingClientRect(),"
            " { view } = explorer.figure, [left, top] = view.origin();"
            " return JSON.stringify([box.left + left, box.top + top, view.signal('placeX')]); })()"
        )
    )
    left, top, right = place
    site.drag((left + right, top + 300), (left + right * 0.4, top + 300))
    site.until("explorer.choice.latency !== null")
    site.settled()
    latency = site.browser.evaluate("explorer.choice.latency")
    condition = f"{CHAT} and gpu_model = 'B200' and p90_itl_ms <= {latency}"
    assert set(site.shown()) == set(site.ids(condition, least=False))
    assert 0 < len(site.shown()) < 84
    before = site.said()
    address = site.browser.evaluate("location.hash")
    site.open(address)
    assert site.said() == before
    headings = "[...document.querySelectorAll('#table button.heading span')].map((e) => e.textContent).join()"
    assert site.browser.evaluate(headings) == "Model,Batch,Organisation"
    site.settled()
    assert site.browser.evaluate("location.hash") == address
    assert site.errors() == []


def test_a_slider_moves_and_clear_all_leaves_no_address(site: Site) -> None:
    site.open()
    site.browser.evaluate(
        "byId('latency-slider').value = 300; byId('latency-slider').dispatchEvent(new Event('input'))"
    )
    site.settled()
    latency = site.browser.evaluate("explorer.choice.latency")
    assert site.browser.evaluate("location.hash") == f"#latency={latency:g}"
    assert set(site.shown()) == set(site.ids(f"{CHAT} and median_itl_ms <= {latency}"))
    site.browser.evaluate("byId('reset').click()")
    site.settled()
    assert site.browser.evaluate("location.hash") == ""
    assert site.shown() == site.ids(CHAT)


def test_a_point_lights_its_batch_size_and_a_click_pins_it(site: Site) -> None:
    site.open()
    site.browser.evaluate("byId('figure').scrollIntoView()")
    name, batch, configuration = site.query(
        f"select leaderboard_id, batch_size, configuration_id from marts.leaderboard where {CHAT}"
        " and model_id = 'some/model-0-lm-arena-chat' order by energy_per_output_joules limit 1"
    )[0]
    x, y = json.loads(
        site.browser.evaluate(
            "(() => { const box = byId('figure').getBoundingClientRect(), { view } = explorer.figure,"
            f" [left, top] = view.origin(), point = view.data('points').find((p) => p.id === '{name}');"
            " return JSON.stringify([box.left + left + view.scale('x')(point.x),"
            " box.top + top + view.scale('y')(point.y)]); })()"
        )
    )
    site.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    site.until(f"explorer.figure.view.signal('litBatch') === {batch}")
    assert "Model 0" in site.browser.evaluate("byId('tip').innerText")
    site.drag((x, y), (x, y))
    site.until("!byId('pinned').hidden")
    assert site.browser.evaluate("byId('pinned').querySelector('a').getAttribute('href')") == (
        f"models/some-model-0-lm-arena-chat.html#{configuration}"
    )
    site.settled()
    assert site.browser.evaluate("location.hash") == f"#pin={name[:12]}"
    site.browser.call("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    site.until("byId('pinned').hidden")


FARTHEST = (
    "(() => { const { crowd } = explorer.figure;"
    " const places = crowd.points.map((point) => explorer.figure.placeOf(point));"
    " return String(Math.max(...places.map(([x, y], i) => Math.hypot(x - crowd.x[i], y - crowd.y[i])))); })()"
)
"""Pixels between a point of the crowd and where the axes have its values, at most."""
CROWD = (
    "JSON.stringify(Object.fromEntries(explorer.figure.crowd.points"
    ".map((p) => [p.id, [p.x, p.y / explorer.scope.energy.factor]])))"
)


def test_thousands_of_points_are_drawn_found_and_saved(site: Site, tmp_path: Path) -> None:
    """Beyond what Vega draws quickly the page draws points itself; a saved picture has them as marks."""
    write_leaderboard(tmp_path / "leaderboard.duckdb", rows=4000)
    (tmp_path / "index.html").write_text(page_over(tmp_path / "leaderboard.duckdb"))
    libraries.write_libraries(tmp_path)
    many = Site(tmp_path, site.browser)
    many.open("#show=all&latency=30")
    many.settled()
    [(points,)] = many.query(f"select count(*) from marts.leaderboard where {CHAT}")
    marks, drawn = json.loads(
        many.browser.evaluate(
            "JSON.stringify([explorer.figure.view.data('points').length,"
            " explorer.figure.crowd.points.length])"
        )
    )
    assert marks < points / 4
    assert drawn == points
    assert float(many.browser.evaluate(FARTHEST)) < 0.01
    values = json.loads(many.browser.evaluate(CROWD))
    stored = many.query(
        f"select leaderboard_id, median_itl_ms, energy_per_output_joules from marts.leaderboard where {CHAT}"
    )
    assert values == {name: [pytest.approx(x, rel=1e-5), pytest.approx(y, rel=1e-5)] for name, x, y in stored}
    x, y = json.loads(
        many.browser.evaluate(
            "byId('figure').scrollIntoView(); (() => { const { crowd } = explorer.figure,"
            " box = crowd.canvas.getBoundingClientRect(), i = crowd.points.findIndex((p) => !p.label);"
            " return JSON.stringify([box.left + crowd.x[i], box.top + crowd.y[i]]); })()"
        )
    )
    many.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    many.until("!byId('tip').hidden")
    many.drag((x, y), (x, y))
    many.until("!byId('pinned').hidden")
    many.settled()
    pinned = many.browser.evaluate("explorer.choice.pin")
    assert many.query(f"select count(*) from marts.leaderboard where leaderboard_id like '{pinned}%'")[0][0]
    many.browser.evaluate("saved = null; explorer.figure.svg().then((text) => { saved = text; })")
    svg = many.until("saved")
    assert svg.count("<path") > points
    assert many.browser.evaluate("explorer.figure.view.data('points').length") in (marks, marks + 1)
    assert many.errors() == []


def test_the_keyboard_sorts(site: Site) -> None:
    site.open("#show=all")
    site.browser.evaluate(
        "[...document.querySelectorAll('#table button.heading')]"
        ".find((button) => button.innerText.startsWith('Batch')).focus()"
    )
    site.press("Enter", 13, "\r")
    site.until("explorer.choice.sort === 'batch_size'")
    batches = "explorer.table.tabulator.getData('active').map((row) => row.batch_size).join()"
    sizes = [int(size) for size in site.browser.evaluate(batches).split(",")]
    assert sizes == sorted(sizes)
    site.settled()
    assert "sort=batch_size" in site.browser.evaluate("location.hash")


def test_an_embedded_figure_stands_alone_and_keeps_the_choice(site: Site) -> None:
    site.open("#latency=12")
    site.browser.evaluate("byId('link').click()")
    snippet = site.browser.evaluate("byId('embed-field').value")
    address = re.search(r'<iframe src="[^"#]+(#[^"]+)"', snippet)
    assert address is not None, snippet
    site.open(address[1].replace("&amp;", "&"))
    seen = "[...document.querySelectorAll('#table, #figure')].map((part) => part.offsetHeight > 0 && part.id)"
    assert json.loads(site.browser.evaluate(f"JSON.stringify({seen})")) == ["figure", False]
    assert site.browser.evaluate("byId('latency-box').value") == "12"


def test_ticked_rows_are_compared_at_an_address_of_their_own(site: Site) -> None:
    first, second = site.ids(CHAT)[:2]
    site.open()
    for box in (0, 1):
        site.browser.evaluate(f"document.querySelectorAll('#table input[type=checkbox]')[{box}].click()")
    site.browser.evaluate("byId('compare').click()")
    site.settled()
    address = site.browser.evaluate("location.hash")
    site.open(address)
    site.until("document.querySelectorAll('#cards .card').length === 2")
    rows = site.query("select leaderboard_id, energy_per_output_joules from marts.leaderboard")
    energies = dict(rows)
    ratio = energies[second] / energies[first]
    line = site.browser.evaluate("document.querySelector('#compare-table tbody tr').innerText")
    assert f"\u00d7{ratio:.2f}" in line
    assert not site.browser.evaluate("document.querySelector('#compare-table img')")
    assert site.errors() == []


@pytest.mark.parametrize("count", [3, 5])
def test_three_to_five_rows_are_compared_with_their_ratios(site: Site, count: int) -> None:
    rows = site.query(
        "select leaderboard_id, nickname, energy_per_output_joules, median_itl_ms from marts.leaderboard"
        f" where {CHAT} order by hash(leaderboard_id) limit {count}"
    )
    site.open(f"#view=compare&ticked={','.join(row[0][:12] for row in rows)}")
    cards = json.loads(site.browser.evaluate(CARDS))
    assert [card[2:] for card in cards] == [row[1] for row in rows]
    for key, place in (("Energy", 2), ("ITL p50", 3)):
        cells = site.browser.evaluate(LINE % key).split("\n")
        ratios = [float(cell) for cell in re.findall("\u00d7([0-9.]+)", " ".join(cells))]
        assert ratios == [pytest.approx(row[place] / rows[0][place], rel=6e-3) for row in rows[1:]]
    named = "explorer.comparison.view.data('points').filter((p) => p.label).map((p) => p.id).sort().join()"
    assert site.browser.evaluate(named) == ",".join(sorted(row[0] for row in rows))
    assert site.errors() == []


CARDS = "JSON.stringify([...document.querySelectorAll('#cards h2')].map((card) => card.textContent))"
LINE = (
    "[...document.querySelectorAll('#compare-table tbody tr')]"
    ".find((line) => line.querySelector('th').firstChild.textContent === '%s').innerText"
)


def test_models_are_compared_under_the_ceilings_and_the_address_keeps_them(site: Site) -> None:
    models = [f"some/model-{number}-lm-arena-chat" for number in (3, 1)]
    site.open(f"#latency=15&view=compare&model={models[0]}")
    assert "Add one to four models" in site.browser.evaluate("byId('compare-few').textContent")
    offered = "[...byId('compare-add').options].map((option) => option.value).join()"
    assert models[1] in site.browser.evaluate(offered)
    assert models[0] not in site.browser.evaluate(offered)
    site.browser.evaluate(
        f"byId('compare-add').value = '{models[1]}'; byId('compare-add').dispatchEvent(new Event('change'))"
    )
    site.settled()
    address = site.browser.evaluate("location.hash")
    site.open(address)
    least = [site.ids(f"{CHAT} and median_itl_ms <= 15 and model_id = '{model}'")[0] for model in models]
    compared = "explorer.compared().map((row) => row.leaderboard_id).join()"
    assert site.browser.evaluate(compared) == ",".join(least)
    energies = dict(site.query("select leaderboard_id, energy_per_output_joules from marts.leaderboard"))
    ratio = energies[least[1]] / energies[least[0]]
    assert f"\u00d7{ratio:.3g}" in site.browser.evaluate(LINE % "Energy")
    drawn = json.loads(
        site.browser.evaluate("JSON.stringify(explorer.comparison.view.data('points').map((p) => p.id))")
    )
    frontiers = [row for model in models for row in frontier_of(site, model)]
    assert set(drawn) == {*frontiers, *least}
    site.browser.evaluate("document.querySelector('#cards button').click()")
    site.settled()
    assert site.browser.evaluate(compared) == least[1]
    assert site.errors() == []


def frontier_of(site: Site, model: str) -> list[str]:
    """Ids of a model's rows that none of its own beats, of the nearest kind of weights."""
    rows = (
        f"(select * from marts.leaderboard where model_id = '{model}'"
        " qualify weights_order = min(weights_order) over ())"
    )
    query = (
        f"select leaderboard_id from {rows} a where not exists (from {rows} b"
        " where b.median_itl_ms <= a.median_itl_ms and b.leaderboard_id <> a.leaderboard_id"
        " and b.energy_per_output_joules <= a.energy_per_output_joules)"
    )
    return [row[0] for row in site.query(query)]


def test_ticked_rows_lead_to_a_comparison_of_their_models(site: Site) -> None:
    site.open()
    for box in (0, 2):
        site.browser.evaluate(f"document.querySelectorAll('#table input[type=checkbox]')[{box}].click()")
    site.browser.evaluate("byId('compare-models').click()")
    site.settled()
    first, third = (
        site.query(f"select model_id from marts.leaderboard where leaderboard_id = '{site.ids(CHAT)[place]}'")
        for place in (0, 2)
    )
    models = json.loads(site.browser.evaluate("JSON.stringify(explorer.choice.models)"))
    assert models == [first[0][0], third[0][0]]
    site.press("Escape", 27)
    site.settled()
    assert "model=" not in site.browser.evaluate("location.hash")
    assert site.errors() == []


def test_the_head_stays_and_rows_are_one_line(site: Site) -> None:
    site.open("#show=all")
    place = "document.querySelector('#table .tabulator-header').getBoundingClientRect().top"
    before = site.browser.evaluate(place)
    holder = "document.querySelector('#table .tabulator-tableholder')"
    assert site.browser.evaluate(f"{holder}.scrollHeight > {holder}.clientHeight * 2")
    site.browser.evaluate(f"{holder}.scrollTop = 900")
    assert site.browser.evaluate(f"{holder}.scrollTop") > 0
    assert site.browser.evaluate(place) == before
    heights = "[...document.querySelectorAll('#table .tabulator-row')].map((row) => row.offsetHeight)"
    assert site.browser.evaluate(f"Math.max(...{heights})") <= 30
    cells = "[...document.querySelectorAll('#table .tabulator-cell')].filter((cell) => cell.innerText)"
    tall = f"{cells}.filter((cell) => cell.scrollHeight > 30).map((cell) => cell.innerText).join()"
    assert site.browser.evaluate(tall) == ""


def test_dominated_points_are_faint(site: Site) -> None:
    site.open("#show=all&latency=60")
    marks = json.loads(site.browser.evaluate(MARKS))
    best = set(json.loads(site.browser.evaluate(FRONTIER)))
    within = {mark for mark, x, _ in marks if x <= 60}
    opacity = {mark: shown for mark, _, shown in marks if mark in within}
    assert best and best < within
    assert {opacity[mark] for mark in best} == {1}
    assert max(opacity[mark] for mark in within - best) <= 0.5
    beyond = {shown for mark, x, shown in marks if x > 60}
    assert beyond and max(beyond) < 0.2


FRONTIER = "JSON.stringify(explorer.figure.view.data('frontier').map((point) => point.id))"
MARKS = (
    "(() => { const found = []; const look = (mark) => {"
    " if (mark.name === 'chosen') for (const item of mark.items)"
    " found.push([item.datum.id, item.datum.x, item.fillOpacity]);"
    " for (const item of mark.items ?? []) for (const inner of item.items ?? []) look(inner); };"
    " look(explorer.figure.view.scenegraph().root); return JSON.stringify(found); })()"
)


def test_the_keyboard_moves_a_slider_and_opens_and_closes_the_dialog(site: Site) -> None:
    site.open()
    site.browser.evaluate("byId('latency-slider').focus()")
    for _ in range(30):
        site.press("ArrowLeft", 37)
    site.until("byId('latency-slider').value === '970'")
    latency = site.browser.evaluate("explorer.choice.latency")
    assert f"{latency:.3g}" in site.browser.evaluate("byId('latency-slider').getAttribute('aria-valuetext')")
    site.settled()
    site.browser.evaluate("byId('link').focus()")
    site.press("Enter", 13, "\r")
    site.until("byId('link-dialog').open")
    assert site.browser.evaluate("byId('link-dialog').contains(document.activeElement)")
    assert site.browser.evaluate("byId('link-field').value").endswith(f"#latency={latency:g}")
    site.press("Escape", 27)
    site.until("!byId('link-dialog').open")
    assert site.browser.evaluate("document.activeElement.id") == "link"
    assert site.browser.evaluate("explorer.choice.latency") == latency


def test_without_a_script_figure_and_table_are_there(site: Site) -> None:
    site.browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        site.browser.open("about:blank")
        site.browser.open(f"file://{site.folder}/index.html")
        site.until("!!document.querySelector('#publication')")
        names = site.browser.evaluate("document.querySelector('#static tbody').innerText")
        rows = site.query("select leaderboard_id, nickname from marts.leaderboard")
        assert [line.split("\t")[0] for line in names.splitlines()] == [
            dict(rows)[name] for name in site.ids(CHAT)
        ]
        assert site.browser.evaluate("document.querySelector('#figure svg.first').clientHeight") > 200
        assert "Without JavaScript" in site.browser.evaluate("document.body.innerText")
    finally:
        site.browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_the_page_s_own_policy_lets_no_text_be_compiled(site: Site) -> None:
    site.open()
    policy = site.browser.evaluate(
        "document.querySelector('meta[http-equiv=Content-Security-Policy]').content"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy
    site.browser.evaluate(
        "refused = false; document.addEventListener('securitypolicyviolation', () => { refused = true; });"
        " { const script = document.createElement('script');"
        " script.textContent = 'setTimeout(() => { new Function(\"compiled = 1\")(); })';"
        " document.body.append(script); }"
    )
    site.until("refused")
    assert site.browser.evaluate("typeof compiled") == "undefined"


def test_hostile_text_is_shown_as_text(site: Site) -> None:
    site.open("#show=all&text=model-6")
    assert site.browser.evaluate("document.querySelectorAll('img').length") == 0
    assert HOSTILE in site.browser.evaluate("document.querySelector('#table').innerText")
    assert HOSTILE in site.browser.evaluate("byId('answer').textContent")
    assert site.errors() == []


@pytest.mark.parametrize(
    "address",
    [
        "#task=constructor&source=__proto__&show=x&columns=constructor,__proto__&sort=toString",
        "#percentile=constructor&ttft-percentile=valueOf&per=toString&latency=-1&energy=nan&gpu=Z9",
        "#pin=<img>&ticked=%22,x&view=nothing&show=%3Cimg%20src=x%3E",
    ],
)
def test_an_address_that_makes_no_sense_is_read_as_the_default(site: Site, address: str) -> None:
    site.open(address)
    assert site.shown() == site.ids(CHAT)
    assert site.browser.evaluate("document.querySelectorAll('img').length") == 0
    assert site.errors() == []


def test_a_narrow_screen_does_not_scroll_sideways(site: Site) -> None:
    site.browser.call(
        "Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=False
    )
    try:
        for address in (
            "",
            "#show=all",
            "#view=compare&model=some/model-1-lm-arena-chat&model=some/model-6-lm-arena-chat",
        ):
            site.open(address)
            assert site.browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        site.open("#show=all")
        named = "explorer.figure.view.data('points').filter((p) => p.label).map((p) => p.id).sort().join()"
        front = "explorer.selection.frontier.map((row) => row.leaderboard_id).sort().join()"
        assert site.browser.evaluate(named) == site.browser.evaluate(front)
        halves = "[...document.querySelectorAll('#show span')].map((half) => half.offsetWidth)"
        site.open()
        assert site.browser.evaluate(f"Math.min(...{halves})") > 90
    finally:
        site.browser.call("Emulation.clearDeviceMetricsOverride")


def test_the_newest_version_is_offered_first_and_an_unknown_one_last(site: Site) -> None:
    site.open()
    rows = "['0.9.0', null, '0.27.1', '0.26.0'].map((each) => ({ runtime_version: each, weights: each }))"
    both = f"['runtime_version', 'weights'].map((key) => optionsOf({rows}, key))"
    options = json.loads(site.browser.evaluate(f"JSON.stringify({both})"))
    assert options == [["0.27.1", "0.26.0", "0.9.0", "null"], ["0.9.0", "0.26.0", "0.27.1", "null"]]
    offered = "[...document.querySelectorAll('#filters input[name=runtime_version]')].map((box) => box.value)"
    shown = json.loads(site.browser.evaluate(f"JSON.stringify({offered})"))
    known = site.query(f"select distinct runtime_version from marts.leaderboard where {CHAT}")
    assert shown == sorted((row[0] for row in known), key=Version, reverse=True) and len(shown) > 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "#show=all&latency=20",
        "#view=compare&ticked={0},{1}",
        "#view=compare&model=some/model-0-lm-arena-chat&model=some/model-1-lm-arena-chat",
    ],
)
def test_axe_finds_no_barrier(site: Site, theme: str, address: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": theme}]
    site.browser.call("Emulation.setEmulatedMedia", features=features)
    site.open(address.format(*(name[:12] for name in site.ids(CHAT)[:2])))
    axe = (files("axe_core_python") / "axe.min.js").read_text()
    run = f"{axe}; axe.run().then((result) => {{ window.found = result; }}); 0"
    site.browser.call("Runtime.evaluate", expression=run)
    site.until("window.found")
    violations = (
        "found.violations.map((v) => [v.id, ...v.nodes.slice(0, 4).map((n) => n.html.slice(0, 200))])"
    )
    assert json.loads(site.browser.evaluate(f"JSON.stringify({violations})")) == []
