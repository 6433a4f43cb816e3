"""A publication is signed, and a change of any byte of it is found and named: in a copy, and offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from benchmark_tasks.cli import keys as keys_command
from benchmark_tasks.errors import JouleboardError, PublicationError, SignatureError
from benchmark_tasks.results import bundle
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import SIGNATURE_FILE, KeyKind, Registry, new_key
from benchmark_tasks.testing.samples import sample_run, write_sample
from expectations import publications
from expectations.cli import app
from expectations.publications.folders import verify_folder
from tests.expectations.publishing import make_candidate, publish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with a trusted key, an unsigned publication (1) and a signed one (2)."""
    folder = tmp_path_factory.mktemp("signed")
    settings = Settings(home=folder / "home")
    candidate = make_candidate(folder / "candidate.duckdb", rows=5)
    publish(settings, candidate, "unsigned")
    key = new_key(settings).public_key
    Registry().trust("the-board", KeyKind.PUBLISHER, key).write(settings)
    publish(settings, candidate, "signed")
    return settings


@pytest.fixture(scope="module")
def copy(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The signed publication as a reader has it; whoever changes it writes it back."""
    folder = Path(shutil.copytree(home.published / "2", tmp_path_factory.mktemp("copy") / "board"))
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.fixture
def call(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("JOULEBOARD_HOME", str(home.home))
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_a_publication_is_signed_and_old_ones_are_said_to_be_unsigned(
    home: Settings, call: Callable[..., Result]
) -> None:
    for number in (1, 2):
        assert publications.verify(home, publications.read(home, number)) == []
    lines = call("publications", "verify").stdout.splitlines()
    assert lines[0].endswith("files unchanged, unsigned")
    assert lines[1].endswith("files unchanged, signed by the-board (publisher)")
    assert publications.foreign(publications.read(home, 2)) == []


@hypothesis_settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_change_of_any_byte_is_found_and_named(home: Settings, copy: Path, data: st.DataObject) -> None:
    files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    position = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != before[position]))
    path.write_bytes(before[:position] + bytes([byte]) + before[position + 1 :])
    try:
        (found,) = verify_folder(copy, Registry.read(home))
        assert found.problem is not None and path.relative_to(copy).as_posix() in found.problem
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"published_at": "2', '"published_at": ":'),
        ('+00:00"', '"'),
        ('"rows"', '"rovs"'),
        ('"files"', '"filed"'),
        ('"number": 2', '"number": "2"'),
    ],
)
def test_a_manifest_of_another_form_is_named(
    home: Settings, copy: Path, tmp_path: Path, old: str, new: str
) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "board"))
    text = (other / "manifest.json").read_text()
    assert old in text
    (other / "manifest.json").write_text(text.replace(old, new))
    (found,) = verify_folder(other, Registry.read(home))
    assert found.problem is not None and "manifest.json: damaged (" in found.problem


@pytest.mark.parametrize("name", [SIGNATURE_FILE, "parquet/leaderboard.parquet", "leaderboard.duckdb"])
def test_a_file_that_was_removed_is_named(home: Settings, copy: Path, tmp_path: Path, name: str) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "board"))
    (other / name).unlink()
    (found,) = verify_folder(other, Registry.read(home))
    assert found.problem is not None and f"{name}: missing" in found.problem
    (other / "manifest.json").unlink()
    with pytest.raises(PublicationError, match="no bundle and no publication here"):
        list(verify_folder(other, Registry.read(home)))


def test_a_manifest_that_was_written_anew_by_another_is_found(
    home: Settings, copy: Path, tmp_path: Path
) -> None:
    """The hashes fit, and the signature is genuine: its key is not one that the reader trusts."""
    other = Path(shutil.copytree(copy, tmp_path / "board"))
    forger = new_key(Settings(home=tmp_path / "forger"))
    manifest = json.loads((other / "manifest.json").read_bytes())
    (other / "manifest.json").write_text(json.dumps(manifest | {"note": "forged"}))
    forger.sign(other / "manifest.json")
    (found,) = verify_folder(other, Registry.read(home))
    assert found.problem == f"2/{SIGNATURE_FILE}: of another key than the manifest says"
    (other / "manifest.json").write_text(json.dumps(manifest | {"signed_by": forger.public_key}))
    forger.sign(other / "manifest.json")
    (found,) = verify_folder(other, Registry.read(home))
    assert found.problem is not None and "is not in the registry" in found.problem


def test_the_command_verifies_bundles_and_publications_with_any_registry(
    home: Settings, copy: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    run = write_sample(tmp_path / "runs", sample_run())
    good = call("verify", copy, tmp_path / "runs")
    assert good.stdout.splitlines() == [
        f"{copy}: unchanged, signed by the-board (publisher)",
        f"{run}: unchanged, unsigned",
    ]
    assert "1 of 2 not as they should be: unsigned" in str(call("verify", copy, run, "--signed").exception)
    empty = tmp_path / "keys.json"
    Registry().write(Settings(home=tmp_path))
    assert "not in the registry" in str(call("verify", copy, "--keys", empty).exception)
    assert "no such registry" in str(call("verify", copy, "--keys", tmp_path / "other.json").exception)
    (run / bundle.SERVER_LOG).write_text("another")
    failed = call("verify", run, "--json")
    assert isinstance(failed.exception, PublicationError)
    assert "server.log: changed" in json.loads(failed.stdout)[0]["problem"]


def test_a_revoked_key_is_one_clear_line_and_damages_nothing(
    home: Settings, call: Callable[..., Result]
) -> None:
    trusted = Registry.read(home)
    trusted.revoke("the-board", "laptop stolen").write(home)
    try:
        error = call("publications", "verify", "2").exception
        assert isinstance(error, SignatureError)
        assert str(error).startswith("publication 2: signed with the key of the-board, revoked on ")
        assert publications.repair(home) == []
    finally:
        trusted.write(home)


def test_keys_are_made_listed_trusted_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "host"))

    def keys(*arguments: object) -> Result:
        return CliRunner().invoke(keys_command.app, list(map(str, arguments)))

    assert keys("list").stdout.startswith("no keys yet")
    made = keys("new", "gpu-1").stdout
    secret = Settings(home=tmp_path / "host").signing_key.read_text().splitlines()[1]
    *_, public_key, _, kind = made.split()
    assert kind == "host" and secret not in made + keys("list", "--json").stdout
    (key,) = json.loads(keys("list", "--json").stdout)
    assert (key["name"], key["public_key"], key["signs_here"]) == ("gpu-1", public_key, True)
    run = write_sample(tmp_path / "runs", sample_run())
    assert keys("sign", tmp_path / "runs").stdout == "signed 1 bundles\n"
    monkeypatch.setenv("JOULEBOARD_HOME", str(tmp_path / "board"))
    assert "there is no key here" in str(keys("sign", run).exception)
    assert keys("trust", "gpu-1", public_key).stdout == "trusted: gpu-1 (host)\n"
    registry = Registry.read(Settings(home=tmp_path / "board"))
    assert [found.signed for found in verify_folder(run, registry)] == ["unchanged, signed by gpu-1 (host)"]
    assert keys("new", "board", "--kind", "publisher").exit_code == 0
    assert "signed with another key already" in str(keys("sign", run).exception)
    assert keys("revoke", "gpu-1", "--why", "sold").exit_code == 0
    assert "revoked" in keys("list").stdout
    assert "required from 2026-12-01 00:00 UTC" in keys("require", "2026-12-01").stdout
    assert "required from 2026-12-01" in keys("list").stdout
    assert keys("require", "--never").stdout == "nothing must be signed\n"
    again = keys("new", "gpu-2")
    assert isinstance(again.exception, JouleboardError) and "there is a key already" in str(again.exception)
