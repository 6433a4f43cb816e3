"""Backups: whole, incremental, verified; a kill leaves nothing half, and nothing is ever mixed."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmark_tasks.errors import BackupError, BackupUnreachable, JouleboardError, PublisherBusy
from benchmark_tasks.results.store import Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, new_key
from expectations import publications
from jouleboard_airflow.platform import database
from jouleboard_airflow.platform.installation import Installation
from jouleboard_airflow.upkeep import contents, history, targets
from jouleboard_airflow.upkeep.backup import backup, exclusive, verify
from jouleboard_airflow.upkeep.restore import restore
from jouleboard_airflow.upkeep.snapshot import Snapshot
from tests.object_store import ObjectStore
from tests.plugins.upkeep.conftest import in_child, land_one, write

NOTHING: dict[str, str] = {}
"""An environment without variables."""


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    for name, value in object_store.variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://landing/backups-{abs(hash(request.node.name))}"


@pytest.fixture(params=["file", "folder", "object store"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    places = {"file": f"{tmp_path}/backups/one.zip", "folder": f"{tmp_path}/backups/"}
    return places.get(request.param) or str(request.getfixturevalue("bucket"))


def empty(tmp_path: Path, name: str = "restored") -> Installation:
    return Installation(Settings(home=tmp_path / name), 8080)


def tree(settings: Settings) -> dict[str, object]:
    """Content, mode or link of everything that must come back, by path."""
    items = [
        *contents.kept(settings),
        *contents.runs(settings),
        *contents.published(settings, frozenset(path.name for path in settings.published.glob("[!.]*"))),
    ]
    return {
        item.path: item.source.readlink()
        if item.source.is_symlink()
        else (item.source.is_file() and item.source.read_bytes(), stat.S_IMODE(item.source.stat().st_mode))
        for item in items
    }


def test_what_is_restored_on_an_empty_home_is_what_was_there(
    home: Installation, where: str, tmp_path: Path
) -> None:
    made = backup(home, where, environment=NOTHING)
    assert made.has_secrets
    assert made.history == "none: Airflow was never started here"
    assert verify(where).total_bytes == made.bytes
    there = empty(tmp_path)
    restore(there, where)
    assert tree(there.settings) == tree(home.settings)
    names = {path.name for path in there.settings.home.iterdir()} - {".upkeep.lock"}
    assert names == {path.split("/")[0] for path in tree(home.settings)}
    assert names >= {"airflow", "catalog", "imports", "proposals", "published", "quarantine", "raw"}
    assert not (there.home / "airflow.cfg").exists()
    assert not (there.home / "logs" / "components").exists()
    current = publications.current(there.settings)
    assert current is not None
    assert publications.verify(there.settings, current) == []


def test_only_what_is_new_is_sent(home: Installation, bucket: str, tmp_path: Path) -> None:
    first = backup(home, bucket, environment=NOTHING)
    again = backup(home, bucket, environment=NOTHING)
    assert (again.sent_files, again.sent_bytes) == (0, 0)
    landed = land_one(home.settings)
    files = list(landed.iterdir())
    third = backup(home, bucket, environment=NOTHING)
    assert third.files == first.files + len(files)
    assert 0 < third.sent_files <= len(files)
    there = empty(tmp_path)
    restore(there, bucket, chosen=first.name)
    assert landed.name not in {run.run_id for run, _ in Store.of(there.settings).listing().runs}


def test_a_backup_can_be_read_by_its_owner_only(home: Installation, tmp_path: Path) -> None:
    backup(home, f"{tmp_path}/one.zip", environment=NOTHING)
    backup(home, f"{tmp_path}/many/", environment=NOTHING)
    files = [tmp_path / "one.zip", *(path for path in (tmp_path / "many").rglob("*") if path.is_file())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    there = empty(tmp_path)
    restore(there, f"{tmp_path}/one.zip")
    assert stat.S_IMODE((there.home / "passwords.json").stat().st_mode) == 0o600


def test_secrets_are_left_out_when_told_and_variables_with_secrets_always(
    home: Installation, tmp_path: Path
) -> None:
    path = tmp_path / "one.zip"
    variables = {"JOULEBOARD_FLEET": "H200:8", "JOULEBOARD_WORKER_SECRET": "canary", "HF_TOKEN": "canary"}
    made = backup(home, str(path), with_secrets=False, environment=variables)
    assert not made.has_secrets
    there = empty(tmp_path)
    listed = restore(there, str(path)).restored
    assert listed.settings == {"JOULEBOARD_FLEET": "H200:8"}
    assert b"canary" not in b"".join(p.read_bytes() for p in there.settings.home.rglob("*") if p.is_file())


def test_the_private_key_is_in_no_backup_and_the_registry_is(home: Installation, tmp_path: Path) -> None:
    key = new_key(home.settings).public_key
    Registry().trust("gpu-1", KeyKind.HOST, key).write(home.settings)
    secret = home.settings.signing_key.read_bytes().splitlines()[1]
    backup(home, f"{tmp_path}/many/", with_secrets=True, environment=NOTHING)
    there = empty(tmp_path)
    restore(there, f"{tmp_path}/many/")
    assert Registry.read(there.settings).find(key).name == "gpu-1"
    assert not there.settings.signing_key.exists()
    for folder in (tmp_path / "many", there.settings.home):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files and all(secret not in path.read_bytes() for path in files)


def test_what_is_being_written_is_skipped_and_goes_on(home: Installation, tmp_path: Path) -> None:
    store = Store.of(home.settings)
    with store.staging("run") as staged:
        write(staged / "requests.parquet", "half a run")
        (home.settings.published / ".incoming" / "3.1").mkdir(parents=True)
        backup(home, f"{tmp_path}/one.zip", environment=NOTHING)
        assert (staged / "requests.parquet").read_text() == "half a run"
    there = empty(tmp_path)
    restore(there, f"{tmp_path}/one.zip")
    assert list(there.settings.raw.rglob("requests.parquet")) == [
        there.settings.raw / path.relative_to(home.settings.raw)
        for path in home.settings.raw.glob("*/*/*/requests.parquet")
    ]


@pytest.mark.parametrize("kind", ["one.zip", "many/"])
def test_a_killed_backup_leaves_the_last_one_and_nothing_half(
    home: Installation, tmp_path: Path, kind: str
) -> None:
    where = f"{tmp_path}/backups/{kind}"
    backup(home, where, environment=NOTHING)
    before = verify(where)
    land_one(home.settings)
    backups, counted = tmp_path / "backups", tmp_path / "counted"
    steps = _steps(lambda: backup(home, f"{counted}/{kind}", environment=NOTHING), counted)
    for step in sorted({1, 2, steps // 3, 2 * steps // 3, steps - 1, steps}):
        assert _killed_at(step, lambda: backup(home, where, environment=NOTHING), backups) in (-9, 0)
        assert verify(where).made_at >= before.made_at
    after = backup(home, where, environment=NOTHING)
    assert verify(where).name.removesuffix(".json") == after.name
    assert list((tmp_path / "backups").glob(".*")) == []


def test_a_killed_restore_is_refused_or_repeated_never_mixed(home: Installation, tmp_path: Path) -> None:
    where = f"{tmp_path}/one.zip"
    backup(home, where, environment=NOTHING)
    counted = empty(tmp_path, "counted")
    steps = _steps(lambda: restore(counted, where), counted.settings.home)
    for number, step in enumerate(sorted({2, steps // 2, *range(max(steps - 25, 3), steps + 1, 4)})):
        there = empty(tmp_path, f"killed-{number}")
        there.settings.home.mkdir()
        _killed_at(step, partial(restore, there, where), there.settings.home)
        if contents.present(there.settings):
            with pytest.raises(BackupError, match="is not empty"):
                restore(there, where)
        restore(there, where, replace=True)
        assert tree(there.settings) == tree(home.settings)
        assert not (there.settings.home / ".restoring").exists()


def _steps(body: Callable[[], object], folder: Path) -> int:
    """How many file operations below a folder a call needs."""
    log = folder.parent / "steps.log"
    log.touch()

    def recorded() -> None:
        with log.open("a") as lines:
            _on_each_step(folder, lambda: print("step", file=lines, flush=True))
            body()

    assert in_child(recorded) == 0
    return len(log.read_text().splitlines())


def _killed_at(step: int, body: Callable[[], object], folder: Path) -> int:
    """Die by SIGKILL just before a file operation below a folder."""
    done = 0

    def die() -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def doomed() -> None:
        _on_each_step(folder, die)
        body()

    return in_child(doomed)


def _on_each_step(folder: Path, act: Callable[[], None]) -> None:
    watched = {"open", "os.rename", "os.mkdir", "os.symlink", "os.remove", "os.chmod"}

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in watched and arguments and str(arguments[0]).startswith(str(folder)):
            act()

    sys.addaudithook(hook)


Damage = Callable[[Path], object]


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _largest(folder: Path) -> Path:
    files = (path for path in (folder / "objects").rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def _list_of(folder: Path) -> Path:
    return next((folder / "snapshots").iterdir())


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("one.zip", _cut),
        ("one.zip", _flip),
        ("one.zip", lambda path: path.write_text("")),
        ("one.zip", lambda path: path.unlink()),
        ("many/", lambda path: _cut(_largest(path))),
        ("many/", lambda path: _flip(_largest(path))),
        ("many/", lambda path: _largest(path).unlink()),
        ("many/", lambda path: _flip(_list_of(path))),
        ("many/", lambda path: _cut(_list_of(path))),
        ("many/", lambda path: _list_of(path).unlink()),
    ],
)
def test_a_damaged_backup_is_one_line_and_changes_nothing(
    home: Installation, tmp_path: Path, kind: str, damage: Damage
) -> None:
    where = f"{tmp_path}/backups/{kind}"
    backup(home, where, environment=NOTHING)
    damage(tmp_path / "backups" / kind.rstrip("/"))
    there = empty(tmp_path)
    for attempt in (lambda: verify(where), lambda: restore(there, where)):
        with pytest.raises(BackupError) as error:
            attempt()
        assert "\n" not in str(error.value)
        assert contents.present(there.settings) == []
        assert not (there.settings.home / ".restoring").exists()


def test_a_truncated_content_is_sent_again(home: Installation, tmp_path: Path) -> None:
    where = f"{tmp_path}/many/"
    backup(home, where, environment=NOTHING)
    _cut(_largest(tmp_path / "many"))
    assert backup(home, where, environment=NOTHING).sent_files == 1
    verify(where)


def test_a_list_cannot_lead_out_of_the_home(home: Installation, tmp_path: Path) -> None:
    where = f"{tmp_path}/many/"
    backup(home, where, environment=NOTHING)
    honest = verify(where)
    content = json.loads(honest.encoded())
    for field, path in (("files", "../outside"), ("files", "/outside"), ("links", "raw/../../outside")):
        hostile = json.loads(json.dumps(content))
        hostile[field][0]["path"] = path
        encoded = json.dumps(hostile).encode()
        name = f"29990101T000000.000000Z-{targets.digest_of(encoded)[:12]}.json"
        write(tmp_path / "many" / "snapshots" / name, encoded.decode())
        with pytest.raises(BackupError, match="is not one of a backup"):
            restore(empty(tmp_path), where)
        (tmp_path / "many" / "snapshots" / name).unlink()
    assert isinstance(verify(where), Snapshot)


def test_a_home_that_holds_anything_is_refused_or_put_aside_whole(home: Installation, tmp_path: Path) -> None:
    where = f"{tmp_path}/one.zip"
    backup(home, where, environment=NOTHING)
    there = empty(tmp_path)
    mine = write(there.settings.raw / "lm-arena-chat" / "2026-11" / "mine" / "run.json", "{}")
    environment = write(there.settings.environments / "vllm-2" / "python", "stays")
    with pytest.raises(BackupError, match=r"is not empty \(raw\).*--replace"):
        restore(there, where)
    assert mine.exists()
    (aside,) = restore(there, where, replace=True).aside
    assert (aside / "raw" / "lm-arena-chat" / "2026-11" / "mine" / "run.json").read_text() == "{}"
    assert environment.exists()
    assert tree(there.settings) == tree(home.settings)


def test_a_landing_zone_elsewhere_is_in_the_backup_and_comes_back_there(
    home: Installation, tmp_path: Path
) -> None:
    settings = replace(home.settings, raw_folder=tmp_path / "shared")
    home.settings.raw.rename(settings.raw)
    backup(replace(home, settings=settings), f"{tmp_path}/one.zip", environment=NOTHING)
    there = Settings(home=tmp_path / "restored", raw_folder=tmp_path / "shared anew")
    restore(Installation(there, 8080), f"{tmp_path}/one.zip")
    assert tree(there) == tree(settings)
    assert not (there.home / "raw").exists()


def test_one_at_a_time(home: Installation, tmp_path: Path) -> None:
    with exclusive(home), pytest.raises(PublisherBusy, match="a backup, restore or housekeeping is already"):
        backup(home, f"{tmp_path}/one.zip", environment=NOTHING)


def test_what_cannot_work_is_said_in_one_line(
    home: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackupError, match="lies in JOULEBOARD_HOME"):
        backup(home, f"{home.settings.home}/b.zip", environment=NOTHING)
    with pytest.raises(BackupError, match="nothing to back up"):
        backup(empty(tmp_path), f"{tmp_path}/b.zip", environment=NOTHING)
    with pytest.raises(BackupError, match="credentials"):
        backup(home, "s3://key:secret@bucket/x", environment=NOTHING)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(BackupUnreachable, match="check its address"):
        backup(home, "s3://nowhere/x", environment=NOTHING)


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("", "it is empty"),
        ("s3://", "no bucket or host"),
        ("s3:///", "no bucket or host"),
        ("s3:/bucket/x", "has :// after s3"),
        ("file://backups/", "no absolute path"),
        ("nonsense://bucket/x", "nonsense"),
        ("ftp://nowhere.invalid/x", "cannot be used .*check its address"),
        ("ftp://127.0.0.1:9/x", "cannot be used .*check its address"),
    ],
)
def test_an_address_that_names_no_place_is_refused_before_anything_is_written(
    home: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, part: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for attempt in (lambda: backup(home, where, environment=NOTHING), lambda: verify(where)):
        with pytest.raises(JouleboardError, match=part) as error:
            attempt()
        assert "\n" not in str(error.value)
        assert list(work.iterdir()) == []


@pytest.mark.parametrize("content", [b"my thesis\n", b"", b"PK\x03\x04 a ZIP once"])
def test_a_file_that_is_no_backup_is_not_replaced(home: Installation, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(content)
    for where in (path, f"{path}/", f"file://{path}", path / "below"):
        with pytest.raises(BackupError, match=r"is not replaced|leave out the /|below a file") as error:
            backup(home, str(where), environment=NOTHING)
        assert "\n" not in str(error.value)
    assert path.read_bytes() == content
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home", "thesis.txt"]


def test_a_zip_of_others_is_not_replaced_and_a_backup_is(home: Installation, tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("snapshots/of my garden.json", "{}")
    before = path.read_bytes()
    with pytest.raises(BackupError, match="no whole backup, so it is not replaced"):
        backup(home, str(path), environment=NOTHING)
    assert path.read_bytes() == before
    path.unlink()
    backup(home, str(path), environment=NOTHING)
    assert backup(home, str(path), environment=NOTHING).name == verify(str(path)).name.removesuffix(".json")


def test_what_is_no_regular_file_is_not_replaced(home: Installation, tmp_path: Path) -> None:
    fifo, link, circle = tmp_path / "fifo", tmp_path / "link", tmp_path / "circle"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    circle.symlink_to(circle)
    for path in (fifo, link, circle):
        with pytest.raises(BackupError, match=r"is no regular file|cannot be followed"):
            backup(home, str(path), environment=NOTHING)
    assert stat.S_ISFIFO(fifo.lstat().st_mode) and link.readlink() == fifo
    with pytest.raises(BackupError, match="is no regular file"):
        verify(str(fifo))


def test_a_link_to_a_backup_stays_one(home: Installation, tmp_path: Path) -> None:
    backup(home, f"{tmp_path}/one.zip", environment=NOTHING)
    (tmp_path / "latest.zip").symlink_to("one.zip")
    made = backup(home, f"{tmp_path}/latest.zip", environment=NOTHING)
    assert (tmp_path / "latest.zip").is_symlink()
    assert verify(f"{tmp_path}/one.zip").name.removesuffix(".json") == made.name


def test_what_comes_while_a_backup_is_made_is_not_replaced(home: Installation, tmp_path: Path) -> None:
    path = tmp_path / "one.zip"

    def say(line: str) -> None:
        if line == "landed runs":
            path.write_text("my thesis")

    with pytest.raises(BackupError, match="is not replaced"):
        backup(home, str(path), environment=NOTHING, say=say)
    assert path.read_text() == "my thesis"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home", "one.zip"]


def test_a_folder_of_others_is_left_as_it_is(home: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    thesis = write(folder / "objects" / "ab" / "thesis.txt", "my thesis\n")
    for where in (f"{folder}", f"{folder}/", f"file://{folder}"):
        with pytest.raises(BackupError, match="is not empty and holds no backup"):
            backup(home, where, environment=NOTHING)
    assert [path for path in folder.rglob("*") if path.is_file()] == [thesis]
    thesis.unlink()
    for path in (thesis.parent, thesis.parent.parent):
        path.rmdir()
    (folder / "lost+found").mkdir()
    backup(home, f"{folder}", environment=NOTHING)
    next((folder / "snapshots").iterdir()).unlink()  # as after one that was killed
    backup(home, f"{folder}", environment=NOTHING)


def test_a_bucket_of_others_is_left_as_it_is(home: Installation, bucket: str) -> None:
    import s3fs

    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.pipe({f"{bucket}/thesis.txt": b"my thesis"})
    with pytest.raises(BackupError, match="is not empty and holds no backup"):
        backup(home, bucket, environment=NOTHING)
    assert [path.rpartition("/")[2] for path in files.find(bucket)] == ["thesis.txt"]


def test_a_database_of_others_is_said_to_be_missing(home: Installation, tmp_path: Path) -> None:
    made = backup(home, f"{tmp_path}/b.zip", environment={history.EXTERNAL: "postgresql://x"})
    assert made.history.startswith("not in this backup: Airflow's database is another server")


def test_airflows_history_comes_back_into_a_new_database(
    home: Installation, open_folder: Path, tmp_path: Path
) -> None:
    """The server is stopped at the first backup, and runs at the second."""
    here = replace(home, database_folder=open_folder / "here")
    there = replace(empty(tmp_path), database_folder=open_folder / "there")
    here.component_logs.mkdir(parents=True, exist_ok=True)
    database.make_ready(here)
    backup(here, f"{tmp_path}/many/", environment=NOTHING)
    assert not database.answers(here)
    with history.answering(here) as variables:
        history._run("psql", ["--command", "create table kept as select 42 as answer"], variables)
        with pytest.raises(BackupError, match="`make down` first"):
            restore(here, f"{tmp_path}/many/", replace=True)
        made = backup(here, f"{tmp_path}/many/", environment=NOTHING)
    assert made.history == "dumped by pg_dump"
    assert restore(there, f"{tmp_path}/many/").history == "loaded"
    assert not (there.home / "history.dump").exists()
    with history.answering(there) as variables:
        with pytest.raises(JouleboardError, match='relation "missing" does not exist'):
            history._run("psql", ["-v", "ON_ERROR_STOP=1", "--command", "table missing"], variables)
        history._run("psql", ["-v", "ON_ERROR_STOP=1", "--command", "select 1/answer from kept"], variables)
    assert database.cluster(there).processes() == []
