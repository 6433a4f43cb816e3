"""A landing zone in an object store: a bundle is there whole or not at all, and an outage loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark_tasks.errors import LandingZoneUnreachable, SettingsError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.results.store import INCOMING, OUTGOING, RECORDS, Store
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.samples import sample_run, write_sample
from tests.object_store import URL, ObjectStore

SEND_AND_STOP_BEFORE_THE_LAST = """
import signal, sys
from pathlib import Path
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.results.store import Store

remote = Remote(sys.argv[2])
put = remote._files.put_file

def put_all_but(local, target):
    if target.endswith("run.json"):
        print("all but the record are sent", flush=True)
        signal.pause()
    put(local, target)

remote._files.put_file = put_all_but
Store(Path(sys.argv[1]), remote).land_copy(Path(sys.argv[3]))
"""


@pytest.fixture
def url(object_store: ObjectStore, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A landing zone of the test's own."""
    for name, value in object_store.variables.items():
        monkeypatch.setenv(name, value)
    return f"{URL}/{abs(hash(request.node.name))}"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "elsewhere", sample_run())


def objects(object_store: ObjectStore, url: str) -> dict[str, bytes]:
    """What is under the test's URL, by file name and parent."""
    prefix = url.removeprefix("s3://landing/") + "/"
    return {
        key.removeprefix(prefix): value
        for key, value in object_store.objects().items()
        if key.startswith(prefix)
    }


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_one_machine_lands_another_reads_and_verifies(
    url: str, object_store: ObjectStore, sample: Path, tmp_path: Path
) -> None:
    landed = Store(tmp_path / "worker", Remote(url)).land_copy(sample)
    where = landed.relative_to(tmp_path / "worker")
    assert objects(object_store, url) == {
        f"{where}/{name}": content for name, content in files(sample).items()
    }
    there = Store(tmp_path / "control", Remote(url))
    ((run, path),) = there.listing().runs
    assert (run.run_id, path) == (sample.name, tmp_path / "control" / where)
    assert files(path) == files(landed) == files(sample)
    assert bundle.verify(path) == run
    assert not any((tmp_path / "control" / INCOMING).iterdir())


def test_planning_fetches_records_only(url: str, sample: Path, tmp_path: Path) -> None:
    Store(tmp_path / "worker", Remote(url)).land_copy(sample)
    store = Store(tmp_path / "another", Remote(url))
    assert [run.run_id for run, _ in store.records().runs] == [sample.name]
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == [bundle.RUN_FILE]
    assert [run.run_id for run, _ in store.records().runs] == [sample.name]
    assert [path for _, path in store.listing().runs] == [path for _, path in store.records().runs]
    assert list((store.root / RECORDS).glob("*/*/*"))


def test_killed_while_sending_nothing_half_visible_and_nothing_lost(
    url: str, object_store: ObjectStore, sample: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", SEND_AND_STOP_BEFORE_THE_LAST, tmp_path / "worker", url, sample]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, env=os.environ) as sender:
        assert sender.stdout.readline() == b"all but the record are sent\n"
        sender.kill()
    assert len(objects(object_store, url)) == len(files(sample)) - 1
    control = Store(tmp_path / "control", Remote(url))
    assert not control.listing().runs and not control.listing().broken and not control.records().runs
    restarted = Store(tmp_path / "worker", Remote(url))
    restarted.sweep_up()
    assert restarted.send() == 1
    assert [run.run_id for run, _ in control.listing().runs] == [sample.name]
    assert restarted.send() == 0
    assert [run.run_id for run, _ in restarted.listing().runs] == [sample.name]


def test_an_outage_keeps_what_was_measured_until_it_is_over(
    url: str, object_store: ObjectStore, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = Store(tmp_path / "worker", Remote(url))
    store.land_copy(sample)
    assert list((store.root / OUTGOING).glob("*/*/*/SHA256SUMS"))
    with pytest.raises(LandingZoneUnreachable, match=r"1 runs wait in .* `jouleboard land`") as caught:
        store.send()
    assert "\n" not in str(caught.value)
    with pytest.raises(LandingZoneUnreachable, match="cannot be used"):
        store.listing()
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store.endpoint)
    assert [run.run_id for run, _ in Store(tmp_path / "worker", Remote(url)).records().runs] == [sample.name]
    assert Store(tmp_path / "worker", Remote(url)).send() == 1
    assert f"{sample.name}/{bundle.RUN_FILE}" in "".join(objects(object_store, url))


def test_landing_twice_sends_once(url: str, object_store: ObjectStore, sample: Path, tmp_path: Path) -> None:
    Store(tmp_path / "one", Remote(url)).land_copy(sample)
    before = objects(object_store, url)
    (sample / bundle.SERVER_LOG).write_text("another server log")
    (sample / bundle.CHECKSUMS_FILE).unlink()
    bundle.write_record(sample, bundle.read_record(sample))
    Store(tmp_path / "two", Remote(url)).land_copy(sample)
    assert objects(object_store, url) == before


@pytest.mark.parametrize("name", [bundle.REQUESTS_FILE, bundle.RUN_FILE, bundle.CHECKSUMS_FILE])
def test_a_bundle_that_was_damaged_there_is_reported_and_never_copied(
    url: str, sample: Path, tmp_path: Path, name: str
) -> None:
    landed = Store(tmp_path / "worker", Remote(url)).land_copy(sample)
    where = landed.relative_to(tmp_path / "worker").as_posix()
    remote = Remote(url)
    with remote._one_line_errors():
        remote._files.pipe_file(f"{remote._root}/{where}/{name}", b"damaged")
    control = Store(tmp_path / "control", remote)
    listing = control.listing()
    assert listing.runs == ()
    assert [broken.path for broken in listing.broken] == [control.root / where]
    assert listing.broken[0].reason.startswith(f"{url}/{where}/")
    assert not (control.root / where).exists()
    with remote._one_line_errors():
        remote._files.put_file(str(landed / name), f"{remote._root}/{where}/{name}")
    assert [run.run_id for run, _ in control.listing().runs] == [sample.name]


def test_what_lies_where_no_bundle_can_be_is_left_alone(url: str, sample: Path, tmp_path: Path) -> None:
    remote = Remote(url)
    for key in ("notes.txt", "../../outside/2026-11/x/run.json", "lm-arena-chat/2026-11/../run.json"):
        with remote._one_line_errors():
            remote._files.pipe_file(f"{remote._root}/{key}", b"{}")
    moved = f"gpqa/2026-11/{sample.name}"
    remote.send(sample, moved)
    control = Store(tmp_path / "control", remote)
    assert control.listing().runs == ()
    (broken,) = control.listing().broken
    assert broken.path == control.root / moved
    assert "belongs in another folder" in broken.reason


def test_the_setting_is_a_folder_or_a_url(tmp_path: Path) -> None:
    shared = Settings.from_environment({"JOULEBOARD_HOME": str(tmp_path), "JOULEBOARD_RAW": "/mnt/raw"})
    assert (shared.raw, shared.raw_url, Store.of(shared).where) == (Path("/mnt/raw"), None, "/mnt/raw")
    remote = Settings.from_environment({"JOULEBOARD_HOME": str(tmp_path), "JOULEBOARD_RAW": "s3://b/raw"})
    assert (remote.raw, remote.raw_url, Store.of(remote).where) == (
        tmp_path / "raw",
        "s3://b/raw",
        "s3://b/raw",
    )
    with pytest.raises(SettingsError, match="AWS_ACCESS_KEY_ID"):
        Settings.from_environment({"JOULEBOARD_RAW": "s3://key:secret@bucket/raw"})


@pytest.mark.parametrize("url", ["nosuchkind://bucket/raw", "gs://bucket/raw"])
def test_a_kind_of_store_that_is_not_installed_is_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"JOULEBOARD_RAW={url}") as caught:
        Store(tmp_path, Remote(url)).listing()
    assert "\n" not in str(caught.value)
