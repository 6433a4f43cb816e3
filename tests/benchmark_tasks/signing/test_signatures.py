"""A signature says whose key signed, and that no byte of a bundle has changed since."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from benchmark_tasks import signing
from benchmark_tasks.errors import BundleError, SignatureError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store
from benchmark_tasks.run import measure
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, new_key, require_signer, signer_of
from benchmark_tasks.testing.quick import landed, quick_sweep
from benchmark_tasks.testing.samples import sample_run, write_sample

NOW = datetime(2026, 11, 29, tzinfo=UTC)
FILES = (*bundle.FILES, bundle.CHECKSUMS_FILE, signing.SIGNATURE_FILE)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle; whoever changes it writes it back."""
    folder = tmp_path_factory.mktemp("signed")
    path = write_sample(folder, sample_run())
    new_key(Settings(home=folder / "home")).sign(path / bundle.CHECKSUMS_FILE)
    return path


def changed(content: bytes, position: int, byte: int) -> bytes:
    """The content with one byte that is another one."""
    position %= len(content)
    byte = byte if byte != content[position] else byte ^ 1
    return content[:position] + bytes([byte]) + content[position + 1 :]


def test_a_signed_bundle_is_whole_and_names_its_key(signed: Path) -> None:
    run = bundle.verify(signed)
    key = signing.signed_by(signed)
    assert run.run_id == signed.name
    assert key is not None and key.startswith("ed25519:")
    assert (signed / bundle.CHECKSUMS_FILE).read_text().count(signing.SIGNATURE_FILE) == 0


@hypothesis_settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), position=st.integers(0, 1 << 30), byte=st.integers(0, 255))
def test_a_change_of_any_byte_is_found_and_named(signed: Path, name: str, position: int, byte: int) -> None:
    path = signed / name
    before = path.read_bytes()
    path.write_bytes(changed(before, position, byte))
    try:
        with pytest.raises(BundleError, match=name):
            bundle.verify(signed)
    finally:
        path.write_bytes(before)


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned bundle; whoever changes it writes it back."""
    return write_sample(tmp_path_factory.mktemp("unsigned"), sample_run())


@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES[:-1]), position=st.integers(0, 1 << 30), byte=st.integers(0, 255))
def test_a_change_of_any_byte_is_found_without_a_signature(
    unsigned: Path, name: str, position: int, byte: int
) -> None:
    path = unsigned / name
    before = path.read_bytes()
    path.write_bytes(changed(before, position, byte))
    try:
        with pytest.raises(BundleError):
            bundle.verify(unsigned)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", FILES[:-1])
@pytest.mark.parametrize("change", [lambda old: old[:-1], lambda old: old + b"\n", lambda old: b""])
def test_a_truncated_or_longer_file_is_found(signed: Path, tmp_path: Path, name: str, change: object) -> None:
    copy = Path(shutil.copytree(signed, tmp_path / signed.name))
    old = (copy / name).read_bytes()
    if change(old) == old:
        pytest.skip("an empty file has no byte to lose")
    (copy / name).write_bytes(change(old))
    with pytest.raises(BundleError, match=name):
        bundle.verify(copy)


def test_checksums_of_another_run_do_not_pass_with_this_signature(signed: Path, tmp_path: Path) -> None:
    other = write_sample(tmp_path, sample_run())
    shutil.copyfile(signed / signing.SIGNATURE_FILE, other / signing.SIGNATURE_FILE)
    with pytest.raises(BundleError, match="changed since it was signed"):
        bundle.verify(other)
    with pytest.raises(BundleError, match="changed since it was signed"):
        Store(tmp_path / "raw").land_copy(other)


def test_openssl_agrees(signed: Path, tmp_path: Path) -> None:
    """The signature is of the file's bytes, and the key in the common form: no own format."""
    settings = Settings(home=signed.parent / "home")
    public = tmp_path / "public.pem"
    openssl("pkey", "-in", settings.signing_key, "-pubout", "-out", public)
    signature = tmp_path / "signature"
    fields = json.loads((signed / signing.SIGNATURE_FILE).read_text())
    signature.write_bytes(base64.b64decode(fields["signature"]))
    checks = ("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-sigfile", signature, "-in")
    assert openssl(*checks, signed / bundle.CHECKSUMS_FILE) == 0
    assert openssl(*checks, signed / bundle.RUN_FILE) != 0


def openssl(*arguments: object) -> int:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode


def test_unsigned_bundles_stay_valid(tmp_path: Path) -> None:
    path = write_sample(tmp_path, sample_run())
    bundle.verify(path)
    assert signing.signed_by(path) is None
    assert Registry().objection(None, NOW) is None
    assert Registry().describe(None) == "unsigned"


def test_a_key_is_private_and_is_not_replaced(settings: Settings) -> None:
    signer = new_key(settings)
    assert stat.S_IMODE(settings.signing_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.signing_key.parent.stat().st_mode) == 0o700
    secret = settings.signing_key.read_text()
    assert repr(signer) == f"Signer(public_key={signer.public_key!r})"
    with pytest.raises(SignatureError, match="there is a key already"):
        new_key(settings)
    assert settings.signing_key.read_text() == secret
    assert signer_of(settings).public_key == signer.public_key


def test_the_registry_says_whose_key_it_is_and_why_it_is_not_enough(settings: Settings) -> None:
    key = new_key(settings).public_key
    unknown = Registry.read(settings).objection(key, NOW)
    assert "is not in the registry" in unknown and f"keys trust NAME {key}" in unknown
    trusted = Registry.read(settings).trust("gpu-1", KeyKind.HOST, key)
    trusted.write(settings)
    assert Registry.read(settings) == trusted
    assert trusted.objection(key, NOW) is None
    assert trusted.describe(key) == "signed by gpu-1 (host)"
    revoked = trusted.revoke("gpu-1", "disk stolen")
    assert revoked.objection(key, NOW).endswith(": disk stolen")
    assert trusted.digest != revoked.digest
    for lines in (unknown, revoked.objection(key, NOW)):
        assert len(lines.splitlines()) == 1


def test_from_a_time_on_signatures_can_be_required(settings: Settings) -> None:
    registry = Registry(required_from=NOW)
    assert registry.objection(None, NOW - timedelta(seconds=1)) is None
    assert registry.objection(None, NOW).startswith("unsigned; signatures are required from 2026-11-29")


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda registry, key: registry.trust("gpu-1", KeyKind.HOST, other(key)), "named gpu-1 already"),
        (lambda registry, key: registry.trust("gpu-2", KeyKind.HOST, key), "already, as gpu-1"),
        (
            lambda registry, key: registry.trust("gpu-2", KeyKind.HOST, "ssh-ed25519 AAAA"),
            "begins with ed25519",
        ),
        (lambda registry, key: registry.trust("gpu-2", KeyKind.HOST, "ed25519:AAAA"), "3 bytes, not 32"),
        (lambda registry, key: registry.trust("a\nb", KeyKind.HOST, other(key)), "name"),
        (lambda registry, key: registry.revoke("gpu-2", "x"), "no key named 'gpu-2'; there are: gpu-1"),
        (lambda registry, key: registry.revoke("gpu-1", " "), "say why"),
        (lambda registry, key: registry.revoke("gpu-1", "x").revoke("gpu-1", "y"), "revoked already"),
    ],
)
def test_what_the_registry_refuses_is_said_in_one_line(settings: Settings, act: object, says: str) -> None:
    key = new_key(settings).public_key
    registry = Registry().trust("gpu-1", KeyKind.HOST, key)
    with pytest.raises(SignatureError, match=says) as caught:
        act(registry, key)
    assert len(str(caught.value).splitlines()) == 1


def other(key: str) -> str:
    """Another public key."""
    return "ed25519:" + "A" * 43 + "=" if not key.startswith("ed25519:AAA") else "ed25519:" + "B" * 42 + "A="


def test_a_damaged_registry_is_said_in_one_line(settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.keys.write_text('{"keys": [{"name": "gpu-1"}]}')
    with pytest.raises(SignatureError, match=r"keys\.json: keys\.0\.kind"):
        Registry.read(settings)


# Signing where things are measured


def no_package(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    new_key(settings)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for name in [name for name in sys.modules if name.startswith("cryptography.")]:
        monkeypatch.setitem(sys.modules, name, None)
    return r"pip install 'jouleboard-measure\[signatures\]'"


def readable_by_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    new_key(settings)
    settings.signing_key.chmod(0o640)
    return "others may read this private key"


def no_key_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    new_key(settings)
    settings.signing_key.write_text("not a key")
    return "not a private key"


def revoked_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    key = new_key(settings).public_key
    Registry().trust("gpu-1", KeyKind.HOST, key).revoke("gpu-1", "old").write(settings)
    return "the key of gpu-1, which signs here, is revoked"


@pytest.mark.parametrize("spoil", [no_package, readable_by_others, no_key_file, revoked_key])
def test_a_key_that_cannot_be_used_stops_nothing_unless_signatures_are_required(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, spoil: object
) -> None:
    says = spoil(settings, monkeypatch)
    told: list[str] = []
    assert require_signer(settings, told.append) is None
    assert len(told) == 1 and told[0].startswith("unsigned: ")
    registry = Registry.read(settings)
    registry.model_copy(update={"required_from": NOW - timedelta(days=9)}).write(settings)
    with pytest.raises(SignatureError, match=f"signatures are required here, and .*{says}"):
        require_signer(settings, told.append)


def test_without_a_key_nothing_is_said_unless_signatures_are_required(settings: Settings) -> None:
    told: list[str] = []
    assert require_signer(settings, told.append) is None
    assert told == []
    Registry(required_from=NOW - timedelta(days=9)).write(settings)
    with pytest.raises(SignatureError, match="`jouleboard keys new NAME` makes one"):
        require_signer(settings, told.append)
    with pytest.raises(SignatureError, match="signatures are required here"):
        measure(quick_sweep(), settings)
    assert not list(settings.raw.rglob("*"))


def test_where_the_package_is_missing_signed_bundles_land_by_their_checksums(
    signed: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_package(settings, monkeypatch)
    assert Store(settings.raw).land_copy(signed).name == signed.name


def test_a_measurement_is_signed(settings: Settings) -> None:
    key = new_key(settings).public_key
    said: list[str] = []
    measure(quick_sweep(), settings, say=said.append)
    (run,) = landed(settings)
    assert signing.check(Store(settings.raw).find(run.run_id) / bundle.CHECKSUMS_FILE) == key
    secret = settings.signing_key.read_text().splitlines()[1]
    written = [path for path in settings.raw.rglob("*") if path.is_file()]
    assert all(secret.encode() not in path.read_bytes() for path in written)
    assert not any(secret in line for line in said)
