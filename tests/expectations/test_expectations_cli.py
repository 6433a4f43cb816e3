"""The command's analysts' side: output a script can read, errors in one line, arguments that stay data."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark_tasks.errors import PublicationError, SettingsError
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.cli import app
from tests.expectations.history.test_changes import ROWS
from tests.expectations.history.test_confirmation import published
from tests.expectations.publishing import make_candidate, publish


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("cli")
    settings = Settings(home=folder / "home")
    for rows in (3, 5):
        publish(settings, make_candidate(folder / f"{rows}.duckdb", rows=rows), f"{rows} rows")
    return settings


@pytest.fixture
def call(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("JOULEBOARD_HOME", str(settings.home))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_publications_are_listed_and_shown(call: Callable[..., Result]) -> None:
    rows = json.loads(call("publications", "list", "--json").stdout)
    assert [(row["publication_number"], row["row_count"], row["current"]) for row in rows] == [
        (1, 3, False),
        (2, 5, True),
    ]
    assert "5 rows" in call("publications", "list").stdout
    assert json.loads(call("publications", "show", "--json").stdout)["number"] == 2
    assert "publication 1 of" in call("publications", "show", "1").stdout


def test_rollback_and_verify(call: Callable[..., Result], settings: Settings) -> None:
    assert json.loads(call("publications", "rollback", "1", "--json").stdout) == {"current": 1}
    assert publications.current_number(settings.published) == 1
    assert call("publications", "rollback", "2").stdout == "publication 2 is current\n"
    assert json.loads(call("publications", "verify", "--json").stdout) == {"1": [], "2": []}
    assert "files unchanged" in call("publications", "verify", "2").stdout


def test_numbers_that_json_does_not_have_are_null(call: Callable[..., Result]) -> None:
    sql = "select 'nan'::double as a, ['inf'::double, 1.5] as b, {'c': '-inf'::float} as c, map {1: 2} as d"
    (row,) = json.loads(call("query", sql, "--json").stdout, parse_constant=pytest.fail)
    assert row == {"a": None, "b": [None, 1.5], "c": {"c": None}, "d": {"1": 2}}


def test_a_figure_is_drawn_as_a_picture(
    call: Callable[..., Result], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = tmp_path / "published" / "figures" / "models"
    drawn.mkdir(parents=True)
    (drawn / "some.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"></svg>')
    item = publications.read(settings, 2)
    monkeypatch.setattr(publications, "SITE_FOLDER", tmp_path / "published")
    monkeypatch.setattr("expectations.cli._publication", lambda *_: item)
    assert call("publications", "figure").stdout == "models/some\n"
    picture = tmp_path / "some.png"
    assert call("publications", "figure", "models/some", str(picture)).stdout == f"{picture}\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    for name in ("other", "../figures/models/some", "/etc/passwd"):
        assert isinstance(call("publications", "figure", name).exception, PublicationError)


@pytest.mark.parametrize("number", ["../1", "1; rm -rf /", "1/../../2", "-1", "0", "$(id)", "9" * 30])
def test_a_publication_is_a_number_and_nothing_else(
    call: Callable[..., Result], settings: Settings, number: str
) -> None:
    for command in ("rollback", "show", "verify"):
        result = call("publications", command, "--", number)
        assert result.exit_code == 2 or isinstance(result.exception, PublicationError)
    assert publications.current_number(settings.published) == 2


def test_query_as_table_json_and_csv(call: Callable[..., Result]) -> None:
    sql = "select batch_size, energy_per_output_joules from leaderboard order by 1 limit 2"
    assert call("query", sql).stdout.splitlines()[0].split() == ["batch_size", "energy_per_output_joules"]
    assert json.loads(call("query", sql, "--json").stdout)[0] == {
        "batch_size": 1,
        "energy_per_output_joules": 1.5,
    }
    assert list(csv.reader(io.StringIO(call("query", sql, "--csv").stdout)))[1] == ["1", "1.5"]


def test_a_query_whose_json_would_lose_a_column_is_refused(call: Callable[..., Result]) -> None:
    sql = "select 1 as a, 2 as a"
    refused = call("query", sql, "--json")
    assert refused.exit_code != 0
    assert "several columns are named 'a'" in str(refused.exception)
    assert list(csv.reader(io.StringIO(call("query", sql, "--csv").stdout))) == [["a", "a"], ["1", "2"]]


@pytest.mark.parametrize("seconds", [math.nan, math.inf, 1e300, 0.0, -1.0])
def test_a_query_has_a_time_limit(settings: Settings, seconds: float) -> None:
    with pytest.raises(SettingsError, match="for a query: give up to"):
        publications.query(settings, "select 1", seconds=seconds)


def test_query_output_cannot_drive_a_terminal(call: Callable[..., Result]) -> None:
    assert "\x1b" not in call("query", "select chr(27) || '[31mred' as x").stdout


@pytest.mark.parametrize("sql", ["selec 1", "", "  -- nothing\n"])
def test_wrong_or_empty_sql_is_one_line(call: Callable[..., Result], sql: str) -> None:
    result = call("query", "--", sql)
    assert isinstance(result.exception, PublicationError)
    assert "\n" not in str(result.exception)


def test_a_release_needs_a_reason_and_a_quarantined_run(call: Callable[..., Result]) -> None:
    assert call("quarantine", "release", "some-run").exit_code == 2
    for arguments in (("some-run", "--why", "  "), ("../../etc/passwd", "--why", "because")):
        assert isinstance(call("quarantine", "release", *arguments).exception, PublicationError)


def test_an_empty_quarantine_says_so(call: Callable[..., Result]) -> None:
    assert call("quarantine", "list").stdout == "quarantine is empty\n"
    assert json.loads(call("quarantine", "list", "--json").stdout) == []


def test_nothing_published_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path))
    assert "run `jouleboard refresh`" in CliRunner().invoke(app, ["publications", "list"]).stdout
    result = CliRunner().invoke(app, ["publications", "show"])
    assert "nothing is published in" in str(result.exception)


def test_changes_are_listed_contested_and_withdrawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "home"))
    published(Settings.from_environment(), ROWS, "one")

    def changes(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["changes", *arguments])

    assert "aa-told  confirmed " in changes().stdout
    assert "run `jouleboard refresh`" in changes("contest", "aa", "--note", "hot").stdout
    told = {row["change"]: row for row in json.loads(changes("--json").stdout)}
    assert (told["aa-told"]["state"], told["aa-told"]["contest_note"]) == ("contested", "hot")
    assert json.loads(changes("withdraw", "aa", "--json").stdout)["withdrawn"] is True
    assert "contested" not in changes().stdout


def test_without_a_history_there_are_no_changes(call: Callable[..., Result]) -> None:
    refused = call("changes")
    assert isinstance(refused.exception, PublicationError)
    assert "publication 2 has no history of releases" in str(refused.exception)
