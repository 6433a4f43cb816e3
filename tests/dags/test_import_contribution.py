"""A contribution by the form: checked, approved, landed; a rejection leaves nothing behind."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.errors import ContributionRefused, ImportRefused
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, new_key
from benchmark_tasks.testing.samples import sample_run, write_sample
from expectations.contributions import pack
from jouleboard_airflow.tasks import contributing
from tests.dags.commands import answer, states


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    """A file of alice's, whom this installation trusts."""
    hers = Settings(home=tmp_path / "alice")
    public_key = new_key(hers).public_key
    Registry().trust("alice", KeyKind.CONTRIBUTOR, public_key).write(Settings.from_environment())
    pack([write_sample(tmp_path / "bundles", sample_run())], tmp_path / "alice.tar.gz", hers)
    return tmp_path / "alice.tar.gz"


def form(source: object, contributor: str | None = "alice") -> dict[str, Any]:
    return {"contributor": contributor, "source": source and str(source), "answer_within_hours": 24}


def landed() -> list[str]:
    return [run.run_id for run, _ in Store.of(Settings.from_environment()).listing().runs]


def left_over(home: Path) -> list[Path]:
    places = (home / "scratch" / "contributions", home / "raw" / ".incoming")
    return [path for place in places if place.exists() for path in place.iterdir()]


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_nothing_lands_before_a_person_approves(
    dags: dict[str, Any], home: Path, file: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    questions = answer(option, monkeypatch)
    run = dags["import_contribution"].test(run_conf=form(file))
    ((subject, body),) = questions
    assert subject == "Take 1 runs that alice measured?"
    assert "Qwen/Qwen3-8B" in body and str(file) in body
    found = states(run)
    assert found["check"] == found["tidy"] == "success"
    assert found["land"] == ("success" if option == "Approve" else "skipped"), found
    assert len(landed()) == (1 if option == "Approve" else 0)
    assert left_over(home) == []
    assert file.exists()


def test_a_fault_is_a_line_of_the_log_and_nobody_is_asked(
    dags: dict[str, Any],
    home: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    questions = answer("Approve", monkeypatch)
    file.write_bytes(file.read_bytes()[:-200])
    run = dags["import_contribution"].test(run_conf=form(file))
    assert run.state == "failed"
    assert questions == [] and landed() == [] and left_over(home) == []
    assert "cut off, damaged" in caplog.text


def test_what_lands_is_what_was_approved(home: Path, file: Path) -> None:
    checked = contributing.check(form(file), "r")
    assert landed() == []
    Path(checked["file"]).write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ContributionRefused, match="not the file that was approved"):
        contributing.land(checked)
    assert landed() == []
    checked = contributing.check(form(file), "r")
    assert contributing.land(checked) == landed() != []
    with pytest.raises(AirflowSkipException, match="all 1 runs have landed already"):
        contributing.check(form(file), "r2")
    contributing.tidy("r")
    assert left_over(home) == []


@pytest.fixture
def address(file: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(file.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_and_a_folder(home: Path, file: Path, address: str, tmp_path: Path) -> None:
    checked = contributing.check(form(f"{address}/alice.tar.gz?token=secret"), "r")
    assert "secret" not in checked["question"]["body"]
    assert contributing.land(checked) == landed() != []
    with pytest.raises(ImportRefused, match="404"):
        contributing.check(form(f"{address}/other"), "r")
    with pytest.raises(ContributionRefused, match="unsigned, not by alice"):
        contributing.check(form(write_sample(tmp_path / "more", sample_run(batch_size=4))), "r")
    contributing.tidy("r")
    assert left_over(home) == []


def test_an_untouched_form_takes_nothing(home: Path) -> None:
    untouched = form(None, None)
    assert contributing.misfits(untouched) == []
    with pytest.raises(AirflowSkipException, match="names no contribution"):
        contributing.check(untouched, "r")


@pytest.mark.parametrize(
    ("filled", "field"),
    [
        (form("/a/file", None), "contributor"),
        (form(None), "source"),
        (form("a/file"), "source"),
        (form("ftp://a/file"), "source"),
        ({**form("/a/file"), "sourse": "x"}, "'sourse'"),
    ],
)
def test_what_is_impossible_in_the_form_is_named(filled: dict[str, Any], field: str) -> None:
    assert field in [misfit.field for misfit in contributing.misfits(filled)]
