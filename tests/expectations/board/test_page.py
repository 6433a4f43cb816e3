"""The page: self-contained, honest about absent energy, and closed to what data could inject."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from benchmark_tasks.settings import Settings
from expectations import publications
from tests.expectations.board.marts import embedded_rows
from tests.expectations.publishing import make_candidate, publish

HOSTILE = "</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("href", "src", "action", "srcset"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> publications.Publication:
    """A publication with hostile names, a row without a counter, and a quarantined run."""
    folder = tmp_path_factory.mktemp("page")
    candidate = make_candidate(folder / "candidate.duckdb", rows=3)
    connection = duckdb.connect(str(candidate))
    connection.execute(
        "update marts.leaderboard set model_id = ?, nickname = ? where batch_size = 1", [HOSTILE] * 2
    )
    connection.execute(
        "update marts.leaderboard set energy_source = 'none', energy_per_output_joules = null,"
        " nickname = 'Speed only' where batch_size = 2"
    )
    for column in ("repeats", "energy_gpus", "energy_servers"):
        connection.execute(f"alter table marts.leaderboard add column {column} integer")
    connection.execute("update marts.leaderboard set repeats = 1")
    connection.execute(
        "update marts.leaderboard set repeats = 6, energy_gpus = 2, energy_servers = 4 where batch_size = 3"
    )
    connection.execute("alter table marts.leaderboard add column if not exists weights varchar")
    for column in ("energy_difference", "energy_difference_half_width", "median_itl_difference"):
        connection.execute(f"alter table marts.leaderboard add column weights_{column} double")
    connection.execute("alter table marts.leaderboard add column weights_reference varchar")
    connection.execute("update marts.leaderboard set weights = 'dummy' where batch_size > 1")
    connection.execute(
        "update marts.leaderboard set weights_reference = 'stand-in.1', weights_energy_difference = -0.111,"
        " weights_energy_difference_half_width = 0.032, weights_median_itl_difference = -0.007"
        " where batch_size = 3"
    )
    connection.execute(
        "create or replace table marts.quarantine as select ? as run_id, ? as reasons", [HOSTILE] * 2
    )
    connection.close()
    settings = Settings(home=folder / "home")
    publish(settings, candidate, HOSTILE)
    publish(settings, candidate, "second")
    return publications.read(settings, 2)


def parse(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text())
    return page


@pytest.mark.parametrize("name", ["index.html", "gate_report.html"])
def test_nothing_is_fetched_and_every_link_leads_somewhere(item: publications.Publication, name: str) -> None:
    path = item.path / "site" / name
    for address in parse(path).addresses:
        assert not re.match(r"(https?:)?//", address), address
        if address.startswith("#"):
            assert address[1:] in parse(path).ids
        elif not address.startswith("data:"):
            assert (path.parent / address).resolve().is_relative_to(item.path)
            if "manifest" not in address:
                assert (path.parent / address).exists(), address
    assert "url(" not in path.read_text() and "@import" not in path.read_text()


def test_data_cannot_add_markup(item: publications.Publication) -> None:
    text = (item.path / "site" / "index.html").read_text()
    page = parse(item.path / "site" / "index.html")
    assert "img" not in page.tags
    assert page.tags.count("script") == 5
    assert HOSTILE not in text


def test_the_embedded_rows_are_the_leaderboard(item: publications.Publication) -> None:
    text = (item.path / "site" / "index.html").read_text()
    rows = embedded_rows(text, "lm-arena-chat")
    assert len(rows) == 3
    assert {row["model_id"] for row in rows} == {HOSTILE, "some/model"}
    (without,) = [row for row in rows if row["energy_source"] == "none"]
    assert without["energy_per_output_joules"] is None
    assert {(row["repeats"], row["energy_gpus"], row["energy_servers"]) for row in rows} == {
        (1, None, None),
        (6, 2, 4),
    }


@pytest.mark.skipif(not shutil.which("chromium"), reason="headless Chromium is not installed")
def test_a_browser_shows_absent_energy_as_such(item: publications.Publication, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            f"--user-data-dir={tmp_path}", "--virtual-time-budget=2000", "--dump-dom",
            f"file://{item.path}/site/index.html#show=all",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "no energy counter" in done.stdout
    assert "3 configurations" in done.stdout
    assert "<img" not in done.stdout
    assert "&lt;img src=x" in done.stdout
    assert re.findall(r">6<small>(.*?)</small>", done.stdout) == [" on 2 GPUs"]
    assert re.findall(r">dummy, ([^<]*)", done.stdout) == ["energy -11.1 %", "not compared"]
    assert (
        "against stand-in.1 weights on one GPU: energy -11.1 \u00b1 3.2 %, median ITL -0.7 %" in done.stdout
    )
    assert done.stdout.count("on 2 GPUs") == 2  # with what the pointer shows; where it is unknown, no word
