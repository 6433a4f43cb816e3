"""The pages in Airflow's UI, as far as they need no Airflow that runs; in a browser: `tests/e2e`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.ui import pages, web
from jouleboard_airflow.ui.opening import Opened, opened
from jouleboard_airflow.ui.web import _FILE_NAME, _PAGE_NAME, build_app, current_file, paths
from tests.e2e.browser import CHROMIUM, running_browser

HOSTILE = "</td><script>alert(1)</script>\"'"


def test_nothing_is_written_and_nothing_holds_up_the_event_loop(tmp_path: Path) -> None:
    found = paths(build_app(Settings(home=tmp_path)))
    assert {method for method, _, _ in found} == {"GET"}
    assert [path for _, path, endpoint in found if inspect.iscoroutinefunction(endpoint)] == []


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (_PAGE_NAME, "../manifest.json"),
        (_PAGE_NAME, "../../2/site/index.html"),
        (_PAGE_NAME, "index.html/../../manifest.json"),
        (_PAGE_NAME, ".hidden.html"),
        (_PAGE_NAME, "models/../../manifest.json"),
        (_PAGE_NAME, "models/..html"),
        (_PAGE_NAME, "figures/x.html"),
        (_PAGE_NAME, "models/../../manifest.html"),
        (_PAGE_NAME, "models/.hidden.html"),
        (_PAGE_NAME, "a/b/c.html"),
        (_FILE_NAME, "../leaderboard.duckdb"),
        (_FILE_NAME, "parquet/../manifest.json"),
        (_FILE_NAME, "site/index.html"),
        (_FILE_NAME, "/etc/passwd"),
        (_FILE_NAME, "site/figures/../../manifest.json"),
        (_FILE_NAME, "site/figures/models/../x.svg"),
        (_FILE_NAME, "leaderboard.duckdb\n"),
        (_FILE_NAME, "api/v1/../../manifest.json"),
        (_FILE_NAME, "api/v1/rows.json/x"),
    ],
)
def test_no_name_leads_out_of_the_publication(tmp_path: Path, pattern: re.Pattern[str], name: str) -> None:
    for path in ("current/site/index.html", "current/manifest.json", "current/leaderboard.duckdb"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert current_file(tmp_path, _PAGE_NAME, "index.html", "site") is not None
    assert current_file(tmp_path, pattern, name, "" if pattern is _FILE_NAME else "site") is None


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (_PAGE_NAME, "models/qwen-qwen3-8b.html"),
        (_PAGE_NAME, "models/meta-llama-llama-3.1-8b.html"),
        (_FILE_NAME, "api/v1/openapi.json"),
        (_FILE_NAME, "site/figures/jouleboard-frontier.svg"),
        (_FILE_NAME, "site/figures/jouleboard-frontier.png"),
        (_FILE_NAME, "site/figures/mlenergy-v3-batch_size.csv"),
        (_FILE_NAME, "site/figures/models/qwen-qwen3-8b-gpqa-jouleboard.svg"),
    ],
)
def test_pages_and_figures_of_models_are_served(pattern: re.Pattern[str], name: str) -> None:
    assert pattern.fullmatch(name)


def test_what_came_from_data_is_text() -> None:
    shell = pages.shell({"index.html"}, Opened(f"index.html#{HOSTILE}", HOSTILE))
    assert "<script>" not in pages.notice(HOSTILE) + shell
    assert (pages.notice(HOSTILE) + shell).count("&lt;script&gt;") == 3


def test_the_scripts_add_text_and_never_markup() -> None:
    for script in pages.STATIC.glob("*.js"):
        assert not re.search(
            r"inner_?HTML|outerHTML|insertAdjacentHTML|document\.write|eval\(",
            script.read_text(),
            re.IGNORECASE,
        )


def test_every_template_is_rendered_by_a_page() -> None:
    used = {"base.html", "notice.html", "shell.html"}
    assert {path.name for path in pages.TEMPLATES.iterdir()} == used


def test_a_publication_s_page_tells_which_link_was_clicked(tmp_path: Path) -> None:
    page = pages.framed("<head><title>A</title></head><a href='b.html'>B</a><script>own</script>", tmp_path)
    assert page.startswith("<head><title>A</title><style>nav.site { display: none; }</style><script>")
    assert page.endswith("</head><a href='b.html'>B</a><script>own</script>")
    assert page.index("postMessage") < page.index("b.html")
    assert "postMessage" in pages.framed("no head", tmp_path)


def test_a_page_s_own_policy_does_not_stop_that_script(tmp_path: Path) -> None:
    policy = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
    page = pages.framed(f"<html>{policy}<title>kept</title>", tmp_path)
    assert page.startswith("<html><title>kept</title><style>nav.site { display: none; }</style><script>")


def test_scripts_that_pages_share_are_put_into_the_page(tmp_path: Path) -> None:
    (tmp_path / "libraries.js").write_text(r"const library = /\d/;")
    page = pages.framed('<script src="libraries.js"></script><p>', tmp_path)
    assert page.startswith("<script>\nconst library = /\\d/;</script><p>")
    (tmp_path / "reading-mlenergy-v3.js").write_text("const READING = 1;")
    page = pages.framed('<script src="reading-mlenergy-v3.js"></script><p>', tmp_path)
    assert page.startswith("<script>\nconst READING = 1;</script><p>")


def test_only_dbt_s_page_may_compile_text() -> None:
    policies = {
        name: web._published(name)["Content-Security-Policy"] for name in ("index.html", "dbt_docs.html")
    }
    assert "unsafe-eval" not in policies["index.html"]
    assert "script-src 'unsafe-inline' 'unsafe-eval';" in policies["dbt_docs.html"]
    assert all(policy.startswith("sandbox allow-scripts") for policy in policies.values())


def test_the_frame_links_to_the_pages_that_the_publication_has() -> None:
    shell = pages.shell({"index.html", "dbt_docs.html", "other.html"}, Opened())
    assert re.findall(r'<a href="([^"]+)">([^<]+)</a>', shell) == [
        ("index.html", "Explorer"),
        ("dbt_docs.html", "Tables and columns"),
    ]


def test_before_a_publication_the_frame_opens_the_explorer_and_says_so(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert opened(settings, model=None, row=None, page=None) == Opened("index.html")
    assert opened(settings, model=None, row=None, page="models/a-b.html") == Opened("models/a-b.html")
    assert opened(settings, model=None, row=None, page="../manifest.json") == Opened("index.html")
    assert opened(settings, model=HOSTILE, row=HOSTILE, page=None) == Opened("index.html")
    asked = opened(settings, model="a/b", row="0" * 16, page=None)
    assert asked.address == "index.html"
    assert asked.notice is not None and asked.notice.startswith("This row of a/b is not on the board")


SWEEP = "manual__2026-11-28T15:00:00+00:00"
CELLS = f'<td data-sweep="{SWEEP}">{SWEEP}</td><td data-sweep="&lt;b&gt;">&lt;b&gt;</td>'
ROWS = f"<head></head><table><tr>{CELLS}</table>"
RUNS = {SWEEP: f"benchmark_on_demand/{SWEEP}"}


def test_a_sweep_that_airflow_ran_links_to_its_run(tmp_path: Path) -> None:
    assert pages.sweeps_in(ROWS) == {SWEEP, "<b>"}
    page = pages.framed(ROWS, tmp_path, RUNS)
    address = "../../runs/benchmark_on_demand/manual__2026-11-28T15%3A00%3A00%2B00%3A00"
    assert f'<td data-sweep="{SWEEP}"><a href="{address}">{SWEEP}</a></td>' in page
    assert '<td data-sweep="&lt;b&gt;">&lt;b&gt;</td>' in page


@pytest.mark.skipif(not CHROMIUM, reason="headless Chromium is not installed")
def test_the_link_to_a_run_leads_the_whole_window_there(tmp_path: Path) -> None:
    """The page and the frame around it are as Airflow shows them: neither may lead the window elsewhere."""
    around = (
        '<iframe sandbox="allow-scripts allow-same-origin allow-forms allow-downloads" src="/jouleboard/">'
    )
    answers = {
        "/": (around, {}),
        "/jouleboard/": (pages.shell({"index.html"}, Opened("models/a.html")), web._SHELL),
        "/jouleboard/shell.js": (
            (pages.STATIC / "shell.js").read_text(),
            {"Content-Type": "text/javascript"},
        ),
        "/jouleboard/site/models/a.html": (pages.framed(ROWS, tmp_path, RUNS), web._PUBLISHED),
    }
    with answering(answers) as address, running_browser(tmp_path) as browser:
        browser.open(f"{address}/")
        frame = "models/a.html"
        until(lambda: browser.evaluate("!!document.querySelector('td a')", frame), 30, "the link")
        browser.evaluate("document.querySelector('td a').click()", frame)
        run = f"{address}/dags/benchmark_on_demand/runs/{SWEEP}"
        until(lambda: browser.evaluate("decodeURIComponent(location.href)") == run, 30, run)


@contextmanager
def answering(answers: dict[str, tuple[str, dict[str, str]]]) -> Iterator[str]:
    """A server with these texts and headers by path; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text, headers = answers.get(self.path, ("", {}))
            self.send_response(200)
            for name, value in {"Content-Type": "text/html", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
