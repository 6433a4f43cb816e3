"""Measures how fast the explorer answers on 20,000 rows: `python -m benchmarks.explorer`, with Chromium.

The rows are those of the board's tests, once per runtime version and with more models. Each line is one kind
of change that a reader makes: milliseconds until table and figure show it (median and slowest),
until the browser has painted (the same), and the processor time of the page per change. Other programs on
the machine lengthen the first two, not the third. Before them: how long the page takes to open, until its
first figure is painted (which is in its text, before any script) and until it answers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import duckdb

from benchmark_tasks.testing.waiting import until
from expectations.board import libraries
from tests.e2e.browser import Browser, running_browser
from tests.expectations.board.marts import write_leaderboard
from tests.expectations.board.test_explorer import page_over

MODELS = 4
"""Each model of the tests' leaderboard, so many times."""

MULTIPLY = """
create or replace table marts.leaderboard as
select
    leaderboard.* replace (
        md5(leaderboard_id || copies.copy) as leaderboard_id,
        model_id || '-' || (copies.copy % {models}) as model_id,
        nickname || ' ' || (copies.copy % {models}) as nickname,
        '0.' || (copies.copy // {models}) || '.0' as runtime_version,
        energy_per_output_joules * (1 + copies.copy / 150.0) as energy_per_output_joules,
        energy_per_response_joules * (1 + copies.copy / 150.0) as energy_per_response_joules,
        median_itl_ms * (1 + copies.copy % 7 / 50.0) as median_itl_ms
    )
from marts.leaderboard, range({copies}) as copies (copy)
limit {rows}
"""

SLIDE = "(i) => { const s = byId('%s-slider'); s.value = 940 - 30 * i; s.dispatchEvent(new Event('input')); }"
CHANGES = {
    "latency slider": SLIDE % "latency",
    "energy slider": SLIDE % "energy",
    "GPU model ticked": "(i) => document.querySelectorAll('#filters input[name=gpu_model]')[i % 3].click()",
    "version ticked": "(i) => document.querySelectorAll('#filters input[name=runtime_version]')[i].click()",
    "text typed": "(i) => { byId('search').value = 'model 12 of'.slice(0, i % 11 + 1);"
    " byId('search').dispatchEvent(new Event('input')); }",
    "percentile": "(i) => { byId('percentile').selectedIndex = i % 4;"
    " byId('percentile').dispatchEvent(new Event('change')); }",
}
"""What a reader does, as scripts of the page; called with 0, 1, 2, ..."""

OPENINGS = 5
WATCH = """
  opened = {};
  const look = () => {
    const isThere = !opened.figure && document.querySelector("svg.first");
    if (isThere) setTimeout(() => { opened.figure ??= performance.now(); });
    if (window.explorer?.table?.ready && explorer.figure.ready) opened.answers = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""
"""Runs in the page before its own scripts. A frame is painted before what is set for after it."""
OPENED = "opened.figure && opened.answers && JSON.stringify([opened.figure, opened.answers])"
MEASURE = """
times = null;
(async () => {
  const seen = [];
  for (let i = 0; i < %d; i++) {
    await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    const start = performance.now();
    (%s)(i);
    await explorer.drawing;
    const drawn = performance.now();
    await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
    seen.push([drawn - start, performance.now() - start]);
  }
  times = seen;
})(); 0
"""


def main() -> None:
    """Write a page of so many rows, open it and print one line per kind of change."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=12, help="changes of each kind")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        running_browser(Path(scratch) / "profile") as browser,
    ):
        page = write_page(Path(scratch), options.rows)
        load, processors = os.getloadavg()[0], os.cpu_count()
        print(f"load {load:.1f} on {processors} processors")
        size = page.stat().st_size + (page.parent / libraries.LIBRARIES).stat().st_size
        print(
            f"{options.rows:,} rows: {page.stat().st_size / 1e3:,.0f} kB, with libraries {size / 1e3:,.0f} kB"
        )
        for what, waits in opening(browser, page.as_uri()).items():
            print(f"{what:34}{statistics.median(waits):8.0f}{max(waits):6.0f}", flush=True)
        print(f"{options.times} changes of each kind; milliseconds")
        print(f"{'':34}{'drawn':>14}{'painted':>14}{'processor':>11}")
        for show in ("least", "all"):
            for change in CHANGES:
                times, processor = measured(browser, f"{page.as_uri()}#show={show}", change, options.times)
                parts = [
                    f"{statistics.median(part):8.0f}{max(part):6.0f}" for part in zip(*times, strict=True)
                ]
                print(f"{show:6}{change:28}{''.join(parts)}{processor:11.0f}", flush=True)


def write_page(folder: Path, rows: int) -> Path:
    """The explorer's page over so many rows, with its libraries."""
    database = folder / "leaderboard.duckdb"
    write_leaderboard(database)
    with duckdb.connect(str(database)) as connection:
        [(present,)] = connection.execute("select count(*) from marts.leaderboard").fetchall()
        copies = -(-rows // present)
        connection.execute(MULTIPLY.format(models=MODELS, copies=copies, rows=rows))
    libraries.write_libraries(folder)
    page = folder / "index.html"
    page.write_text(page_over(database))
    return page


def opening(browser: Browser, address: str) -> dict[str, list[float]]:
    """Milliseconds from the beginning of the navigation, of several: first figure painted, page answers."""
    seen: dict[str, list[float]] = {"first figure painted": [], "filters answer": []}
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    for _ in range(OPENINGS):
        open_page(browser, address)
        painted, answers = json.loads(until(lambda: browser.evaluate(OPENED), 60, "the first paint"))
        for times, value in zip(seen.values(), (painted, answers), strict=True):
            times.append(value)
    return seen


def open_page(browser: Browser, address: str) -> None:
    """Open the explorer and wait until it answers."""
    browser.open("about:blank")
    browser.open(address)
    until(
        lambda: browser.evaluate("window.explorer && explorer.table.ready && explorer.figure.ready"),
        120,
        "the explorer",
    )


def measured(browser: Browser, address: str, change: str, times: int) -> tuple[list[list[float]], float]:
    """Milliseconds until drawn and until painted, per change; the page's processor time per change, ms."""
    open_page(browser, address)
    before = processor_seconds(browser)
    browser.evaluate(MEASURE % (times, CHANGES[change]))
    seen = until(lambda: browser.evaluate("times && JSON.stringify(times)"), 120, change)
    return list(json.loads(seen)), 1000 * (processor_seconds(browser) - before) / times


def processor_seconds(browser: Browser) -> float:
    """Processor time of the page's main thread so far."""
    browser.call("Performance.enable", timeDomain="threadTicks")
    metrics = browser.call("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


if __name__ == "__main__":
    main()
