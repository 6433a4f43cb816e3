"""Publications are whole or absent, readers are never disturbed, and nothing is half-switched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.disk import append_json, read_journal
from benchmark_tasks.errors import DiskFull, PublicationError, PublisherBusy
from benchmark_tasks.settings import Settings
from expectations import publications
from expectations.publications import query
from expectations.refresh import refresh
from tests.disks import small_file_system
from tests.expectations.publishing import make_candidate, publish

KILLS = 20


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """Marts, one of them a view, which a thread copies."""
    made = make_candidate(tmp_path / "candidate.duckdb")
    with duckdb.connect(str(made)) as connection:
        connection.execute("create view marts.power_over_time as select 1 as number where false")
    return made


def test_a_publication_holds_database_parquet_page_and_manifest(settings: Settings, candidate: Path) -> None:
    result = publish(settings, candidate, "first")
    item = publications.current(settings)
    assert item is not None and item.number == result.publication == 1
    assert publications.verify(settings, item) == []
    assert item.rows["leaderboard"] == 50
    assert not list(item.path.rglob("*.wal"))
    assert json.loads((item.path / "api" / "v1" / "rows.json").read_text())["total"] == 50
    table = pq.read_table(item.path / "parquet" / "leaderboard.parquet")
    assert table.num_rows == 50
    assert query(settings, "select count(*), max(energy_per_output_joules) from leaderboard").rows == (
        (50, 50.5),
    )
    comments = query(settings, "select comment from duckdb_columns() where comment is not null")
    assert comments.rows == (("Joules per token.",),)


def test_equal_candidates_give_byte_identical_parquet(
    settings: Settings, candidate: Path, tmp_path: Path
) -> None:
    publish(settings, candidate, "first")
    publish(settings, make_candidate(tmp_path / "again.duckdb"), "second")
    first, second = publications.all_publications(settings)
    name = "parquet/leaderboard.parquet"
    assert first.manifest["files"][name] == second.manifest["files"][name]


@pytest.mark.parametrize("umask", [0o077, 0o002, 0o000])
def test_everybody_may_read_what_is_published_and_only_its_owner_may_write(
    settings: Settings, candidate: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        publish(settings, candidate, "first")
    finally:
        os.umask(before)
    item = publications.read(settings, 1)
    assert _modes(path for path in item.path.rglob("*") if path.is_file()) == {0o444}
    folders = [settings.published, item.path, *(path for path in item.path.rglob("*") if path.is_dir())]
    assert _modes(folders) == {0o755}
    assert _modes([settings.published / "events.jsonl"]) == {0o644}
    assert settings.home.stat().st_mode & 0o111 == 0o111
    assert settings.home.stat().st_mode & 0o022 & umask == 0


def _modes(paths: Iterable[Path]) -> set[int]:
    return {path.stat().st_mode & 0o7777 for path in paths}


def test_readers_spill_elsewhere(settings: Settings, candidate: Path) -> None:
    publish(settings, candidate, "first")
    item = publications.read(settings, 1)
    with publications.open_publication(item) as reader, publications.attached(last=item.database) as other:
        for connection in (reader, other):
            (spill,) = connection.execute("select current_setting('temp_directory')").fetchone() or ("",)
            assert Path(spill).is_dir() and settings.home not in Path(spill).parents
            assert Path.cwd() not in Path(spill).parents


def test_two_readers_of_one_process_read_at_once(settings: Settings, candidate: Path) -> None:
    publish(settings, candidate, "first")
    item = publications.read(settings, 1)
    with publications.open_publication(item) as one, publications.open_publication(item) as other:
        counted = [connection.execute("select count(*) from leaderboard") for connection in (one, other)]
        assert [result.fetchone() for result in counted] == [(50,), (50,)]


def test_files_of_others_are_ignored(settings: Settings, candidate: Path) -> None:
    for note in ("first", "second"):
        publish(settings, candidate, note)
    first = publications.read(settings, 1)
    others = ("leaderboard.duckdb.tmp/duckdb_temp_storage-0.tmp", ".nfs0001", ".DS_Store", "parquet/.crc")
    for name in others:
        (first.path / name).parent.mkdir(exist_ok=True)
        (first.path / name).write_text("x")
    (settings.published / "2026").mkdir()
    (settings.published / "\u00b2").mkdir()
    (settings.published / "notes.txt").write_text("x")
    assert publications.verify(settings, first) == []
    assert publications.foreign(first) == sorted(others)
    assert publications.roll_back(settings, 1).number == 1
    publications.require_whole(settings)
    assert publish(settings, candidate, "third").publication == 3


def test_a_reader_keeps_its_publication_while_the_next_one_appears(
    settings: Settings, candidate: Path, tmp_path: Path
) -> None:
    publish(settings, candidate, "first")
    first = publications.current(settings)
    assert first is not None
    reader = duckdb.connect(str(first.database), read_only=True)
    publish(settings, make_candidate(tmp_path / "new.duckdb", rows=7), "second")
    assert reader.execute("select count(*) from marts.leaderboard").fetchone() == (50,)
    assert query(settings, "select count(*) from leaderboard").rows == ((7,),)
    reader.close()


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: a kill does not care, and pushing to the disk is free."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


def test_killed_publishers_leave_the_old_or_the_new_state(in_memory: Path, candidate: Path) -> None:
    script = Path(__file__).parents[1] / "publishing.py"
    done = subprocess.run(
        [sys.executable, script, in_memory / "home", candidate, str(KILLS)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert len(outcomes) >= KILLS
    for outcome in outcomes:
        assert outcome["killed"], outcome
        assert outcome["state"] in ("old", "new"), outcome
        assert outcome["damage"] == [], outcome
        assert outcome["next"] == 0 and outcome["final"] and outcome["left_over"] == [], outcome
    assert {outcome["state"] for outcome in outcomes} == {"old", "new"}


def test_a_switch_that_was_cut_off_is_finished_by_the_next_publisher(
    settings: Settings, candidate: Path
) -> None:
    publish(settings, candidate, "first")
    publish(settings, candidate, "second")
    # As after a kill between the rename of folder 2 and the switch of the link.
    (settings.published / "current").unlink()
    (settings.published / "current").symlink_to("1")
    events = settings.published / "events.jsonl"
    events.write_text(events.read_text().splitlines()[0] + "\n")
    with publications.publishing(settings):
        pass
    assert publications.current_number(settings.published) == 2


HOLDER = """
import sys
from pathlib import Path
from benchmark_tasks.settings import Settings
from expectations import publications
with publications.publishing(Settings(home=Path(sys.argv[1]))):
    print("holding", flush=True)
    sys.stdin.read()
"""


def test_of_two_publishers_the_second_says_who_is_at_work(settings: Settings, candidate: Path) -> None:
    publish(settings, candidate, "first")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, settings.home],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "holding\n"
        with pytest.raises(PublisherBusy, match=f"already running .process {holder.pid} since"):
            publish(settings, candidate, "second")
        with pytest.raises(PublisherBusy):
            publications.roll_back(settings, 1)
        assert publications.current_number(settings.published) == 1
    finally:
        holder.kill()
        holder.communicate()
    publish(settings, candidate, "the lock died with its holder")
    assert publications.current_number(settings.published) == 2


def test_a_rollback_does_not_wait_for_a_build(settings: Settings, candidate: Path) -> None:
    for note in ("first", "second"):
        publish(settings, candidate, note)
    with publications.hold_lock(settings.warehouse / ".lock", "a refresh"):
        assert publications.roll_back(settings, 1).number == 1


def test_two_refreshes_at_once_are_refused_before_they_build(settings: Settings) -> None:
    with (
        publications.hold_lock(settings.warehouse / ".lock", "a refresh"),
        pytest.raises(PublisherBusy, match="a refresh is already running"),
    ):
        refresh(settings, say=print)


def test_rollback_goes_back_and_forward_and_the_next_number_is_new(
    settings: Settings, candidate: Path
) -> None:
    for note in ("first", "second"):
        publish(settings, candidate, note)
    publications.roll_back(settings, 1)
    assert publications.current(settings).manifest["note"] == "first"
    assert [event["event"] for event in publications.events(settings)] == [
        "published",
        "published",
        "rolled back",
    ]
    publications.roll_back(settings, 2)
    assert publications.current(settings).manifest["note"] == "second"
    publications.roll_back(settings, 1)
    assert publish(settings, candidate, "third").publication == 3
    assert [row["publication_number"] for row in publications.history(settings)] == [1, 2, 3]


@pytest.mark.parametrize("number", [0, 7])
def test_rollback_to_nothing_is_refused(settings: Settings, candidate: Path, number: int) -> None:
    publish(settings, candidate, "first")
    with pytest.raises(PublicationError, match=f"no publication {number}; there are: 1"):
        publications.roll_back(settings, number)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: (path / "parquet/leaderboard.parquet").unlink(), "leaderboard.parquet: missing"),
        (lambda path: (path / "parquet/extra.parquet").write_text("x"), "extra.parquet: not in the manifest"),
        (lambda path: (path / "leaderboard.duckdb.wal").write_text("x"), ".wal: not in the manifest"),
        (lambda path: _tamper(path / "leaderboard.duckdb"), "leaderboard.duckdb: changed"),
        (lambda path: _tamper(path / "manifest.json"), "manifest.json: changed"),
    ],
    ids=["missing", "extra", "log", "changed", "manifest"],
)
def test_damage_is_found_and_never_rolled_back_to(
    settings: Settings, candidate: Path, spoil: Callable[[Path], object], says: str
) -> None:
    publish(settings, candidate, "first")
    publish(settings, candidate, "second")
    spoil(settings.published / "1")
    (damage,) = publications.verify(settings, publications.read(settings, 1))
    assert says in damage
    with pytest.raises(PublicationError, match="damaged, so it cannot become the current one"):
        publications.roll_back(settings, 1)
    assert publications.current_number(settings.published) == 2


def _tamper(path: Path) -> None:
    path.chmod(0o644)
    text = path.read_bytes()
    path.write_bytes(
        text.replace(b'"note": "first"', b'"note": "fjrst"') if path.suffix == ".json" else text + b" "
    )


def test_retention_keeps_the_newest_the_current_and_whoever_reads(
    settings: Settings, candidate: Path
) -> None:
    for n in range(5):
        publish(settings, candidate, f"number {n + 1}")
    publications.roll_back(settings, 1)
    reader = duckdb.connect(str(publications.read(settings, 2).database), read_only=True)
    with publications.publishing(settings):
        assert publications.retire(settings, kept=2) == [2, 3]
    assert [item.number for item in publications.all_publications(settings)] == [1, 4, 5]
    assert reader.execute("select count(*) from marts.leaderboard").fetchone() == (50,)
    reader.close()
    assert len(publications.history(settings)) == 5
    with publications.publishing(settings):
        assert publications.next_number(settings) == 6


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    with small_file_system(tmp_path / "cramped", "size=4m") as where:
        yield where


def test_a_full_disk_leaves_the_last_publication(cramped: Path, candidate: Path, tmp_path: Path) -> None:
    settings = Settings(home=cramped)
    publish(settings, candidate, "first")
    large = make_candidate(tmp_path / "large.duckdb", rows=400_000)
    with pytest.raises(DiskFull, match=r"no space left under .*: free some space or move JOULEBOARD_HOME"):
        publish(settings, large, "too large")
    item = publications.current(settings)
    assert item is not None and item.number == 1 and publications.verify(settings, item) == []
    assert publish(settings, candidate, "small again").publication == 2
    assert list((cramped / "published" / ".incoming").iterdir()) == []


def test_a_view_is_published_as_a_table_with_its_description(settings: Settings, candidate: Path) -> None:
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("create view marts.shortcut as select * from candidate.marts.leaderboard")
        connection.execute("comment on view marts.shortcut is 'The same rows.'")
        rows = connection.execute("select count(*) from marts.shortcut").fetchall()
    publish(settings, candidate, "with a view")
    item = publications.current(settings)
    assert item is not None
    candidate.unlink()
    with duckdb.connect(str(item.database), read_only=True) as published:
        assert published.execute("select count(*) from marts.shortcut").fetchall() == rows
        query = "select comment from duckdb_tables() where table_name = 'shortcut'"
        assert published.execute(query).fetchall() == [("The same rows.",)]


def test_a_line_torn_by_a_crash_does_not_swallow_the_next(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    append_json(journal, {"n": 1})
    with journal.open("a") as file:
        file.write('{"n": 2, "why"')
    append_json(journal, {"n": 3})
    assert [entry["n"] for entry in read_journal(journal)] == [1, 3]


FORBIDDEN = (
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from glob('/*')",
    "from '/etc/passwd'",
    "attach '/tmp/elsewhere.duckdb'",
    "copy leaderboard to '/tmp/stolen.csv'",
    "export database '/tmp/stolen'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset enable_external_access",
    "pragma enable_external_access",
    "create table marts.mine (n integer)",
    "insert into leaderboard select * from leaderboard",
    "update leaderboard set energy_per_output_joules = 0",
    "delete from leaderboard",
    "drop table leaderboard",
    "select 1; drop table leaderboard",
    "select getenv('HOME')",
    "select * from leaderboard where model_id = ''; copy leaderboard to '/tmp/stolen.csv'; --'",
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Something to attack."""
    folder = tmp_path_factory.mktemp("published")
    settings = Settings(home=folder / "home")
    publish(settings, make_candidate(folder / "candidate.duckdb"), "first")
    return settings


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_sql_cannot_leave_the_publication_or_change_it(published: Settings, sql: str) -> None:
    with pytest.raises(PublicationError, match="the query failed"):
        query(published, sql)
    assert not Path("/tmp/stolen.csv").exists() and not Path("/tmp/stolen").exists()
    assert publications.verify(published, publications.read(published, 1)) == []


def test_a_query_before_the_first_publication_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(PublicationError, match=r"nothing is published in .*; run `jouleboard refresh`"):
        query(settings, "select 1")


def test_a_query_that_would_never_end_is_ended(published: Settings) -> None:
    endless = "select count(*) from range(1000000000) as a, range(1000000000) as b where a.range <> b.range"
    with pytest.raises(PublicationError, match=r"took more than 0\.3 s; select less"):
        query(published, endless, seconds=0.3)
    assert query(published, "select count(*) from leaderboard").rows
