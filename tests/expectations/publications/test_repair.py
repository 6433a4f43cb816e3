"""Whatever is damaged or missing of a publication is left behind by the command that the message names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.cli import app
from tests.expectations.publishing import make_candidate, publish

Spoil = Callable[[Path], object]
COMMAND = "`jouleboard publications repair` leaves it behind"


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home with two publications, and the candidate."""
    folder = tmp_path_factory.mktemp("twice")
    candidate = make_candidate(folder / "candidate.duckdb")
    for note in ("first", "second"):
        publish(Settings(home=folder / "home"), candidate, note)
    return folder / "home", candidate


@pytest.fixture
def copied(twice: tuple[Path, Path], tmp_path: Path) -> Settings:
    """A copy of that home, to be damaged."""
    shutil.copytree(twice[0], tmp_path / "home", symlinks=True)
    return Settings(home=tmp_path / "home")


def _cut(name: str, keep: int) -> Spoil:
    def cut(published: Path) -> None:
        path = published / name
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:keep])

    return cut


def _write(name: str, text: str) -> Spoil:
    def write(published: Path) -> None:
        path = published / name
        path.chmod(0o644)
        path.write_text(text)

    return write


def _link(target: str) -> Spoil:
    def link(published: Path) -> None:
        (published / "current").unlink()
        (published / "current").symlink_to(target)

    return link


def _copy_instead_of_link(published: Path) -> None:
    (published / "current").unlink()
    shutil.copytree(published / "2", published / "current")


def _file_instead_of_link(published: Path) -> None:
    (published / "current").unlink()
    (published / "current").write_text("2")


def _folder_instead_of_file(published: Path) -> None:
    (published / "2" / "manifest.json").unlink()
    (published / "2" / "manifest.json").mkdir()


def _without(name: str) -> Spoil:
    def drop(published: Path) -> None:
        manifest = json.loads((published / "2/manifest.json").read_text())
        del manifest[name]
        _write("2/manifest.json", json.dumps(manifest))(published)

    return drop


DAMAGES: dict[str, Spoil] = {
    "newest manifest cut off": _cut("2/manifest.json", 100),
    "manifest of size 0": _cut("2/manifest.json", 0),
    "manifest gone": lambda published: (published / "2/manifest.json").unlink(),
    "manifest of another shape": _write("2/manifest.json", "[]"),
    "manifest of another number": _write("2/manifest.json", '{"number": 7}'),
    "manifest is no text": _write("2/manifest.json", "\ud7ff" * 9),
    "manifest too deep": _write("2/manifest.json", "[" * 100_000),
    "manifest without files": _without("files"),
    "manifest without history": _without("history"),
    "manifest is a folder": _folder_instead_of_file,
    "database gone": lambda published: (published / "2/leaderboard.duckdb").unlink(),
    "database of size 0": _cut("2/leaderboard.duckdb", 0),
    "database cut off": _cut("2/leaderboard.duckdb", 5000),
    "a table of size 0": _cut("2/parquet/leaderboard.parquet", 0),
    "a page changed": _write("2/site/index.html", "changed"),
    "all tables gone": lambda published: shutil.rmtree(published / "2/parquet"),
    "everything in the folder gone": lambda published: _empty(published / "2"),
    "folder gone": lambda published: shutil.rmtree(published / "2"),
    "link to nothing": _link("9"),
    "link to elsewhere": _link("/tmp"),
    "link to an old place": _link("/nowhere/published/2"),
    "link to itself": _link("current"),
    "link gone": lambda published: (published / "current").unlink(),
    "a copy instead of the link": _copy_instead_of_link,
    "a file instead of the link": _file_instead_of_link,
}


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_with_a_command_that_leaves_it_behind(copied: Settings, damage: str) -> None:
    DAMAGES[damage](copied.published)
    with pytest.raises(PublicationError) as caught:
        publications.require_whole(copied)
    assert COMMAND in str(caught.value) and "\n" not in str(caught.value)
    lines = publications.repair(copied)
    assert lines
    publications.require_whole(copied)
    current = publications.current(copied)
    assert current is not None and publications.verify(copied, current) == []
    assert current.number == (2 if damage.startswith(("link", "a copy", "a file")) else 1)
    assert publications.repair(copied) == []
    assert publications.next_number(copied) == 3
    events = [event["event"] for event in publications.events(copied)]
    assert {"left behind", "repaired"} & set(events)


def test_the_only_publication_is_left_behind_whole(copied: Settings, twice: tuple[Path, Path]) -> None:
    shutil.rmtree(copied.published / "2")
    _cut("1/leaderboard.duckdb", 10)(copied.published)
    files = {path.name for path in (copied.published / "1").iterdir()}
    assert any("refresh" in line for line in publications.repair(copied))
    assert publications.current(copied) is None
    (kept,) = (copied.published / ".left_behind").iterdir()
    assert {path.name for path in kept.iterdir()} == files
    assert publish(copied, twice[1], "again").publication == 3


def test_an_old_damaged_publication_stops_nobody(copied: Settings, twice: tuple[Path, Path]) -> None:
    _cut("1/manifest.json", 3)(copied.published)
    publications.require_whole(copied)
    assert publish(copied, twice[1], "third").publication == 3
    with publications.publishing(copied):
        publications.retire(copied, kept=1)
    assert (copied.published / "1").is_dir()
    assert [item.number for item in publications.all_publications(copied)][-1] == 3


def test_the_commands_go_on_beside_a_damaged_publication(
    copied: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(copied.home))
    _cut("2/leaderboard.duckdb", 0)(copied.published)
    run = CliRunner().invoke
    for command in (["query", "select 1"], ["publications", "verify"], ["publications", "rollback", "2"]):
        outcome = run(app, command)
        assert isinstance(outcome.exception, PublicationError), command
    assert COMMAND in str(run(app, ["query", "select 1"]).exception)
    assert COMMAND in str(run(app, ["publications", "verify"]).exception)
    _cut("2/manifest.json", 0)(copied.published)
    listed = run(app, ["publications", "list"])
    assert listed.exit_code == 0 and "first" in listed.stdout and COMMAND in listed.stderr
    repaired = run(app, ["publications", "repair"])
    assert repaired.exit_code == 0 and "publication 1 is current" in repaired.stdout
    assert run(app, ["query", "select count(*) from leaderboard"]).exit_code == 0
    assert run(app, ["publications", "repair"]).stdout == "nothing is damaged\n"
