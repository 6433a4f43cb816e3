"""An endpoint over https: its certificate is checked, and what is wrong with it is said in one line."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmark_tasks.client import address
from benchmark_tasks.client.arrivals import ClosedLoop
from benchmark_tasks.client.load import LoadSpec
from benchmark_tasks.client.load_processes import run_in_processes
from benchmark_tasks.errors import ServerError
from benchmark_tasks.runtimes.endpoint import version_of
from benchmark_tasks.runtimes.kinds import kind_of
from benchmark_tasks.runtimes.server import free_port
from tests.benchmark_tasks.client.test_load import requests


def certificate(folder: Path, name: str, *, days: int = 2) -> tuple[Path, Path]:
    """A certificate for a name, signed by itself, valid until so many days from now: (certificate, key)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_address = name[0].isdigit()
    known = x509.IPAddress(ipaddress.ip_address(name)) if is_address else x509.DNSName(name)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([known]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(signed.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@contextmanager
def encrypted_server(certificate: Path, key: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmark_tasks.testing.mock_server", f"--port={port}"]
    command += [f"--ssl-certfile={certificate}", f"--ssl-keyfile={key}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and "listening" in process.stdout.readline()
        yield f"https://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def load_errors(url: str, path: str) -> set[str | None]:
    spec = LoadSpec(base_url=url, requests=requests(path=path), arrivals=ClosedLoop(2), request_limit=4)
    return set(run_in_processes(spec, 1, lambda progress: False, 30).events.errors)


@pytest.fixture(autouse=True)
def fresh_context() -> Iterator[None]:
    """The context is made once per process, from the variables of that moment."""
    address._default_security.cache_clear()
    yield
    address._default_security.cache_clear()


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
def test_with_its_authority_an_endpoint_is_read_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    made, key = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    with encrypted_server(made, key) as url:
        assert version_of(url, kind_of("vllm")) == "0.0.1"
        assert load_errors(url, path) == {None}


@pytest.mark.parametrize(
    ("name", "days", "trusted", "says"),
    [
        ("127.0.0.1", 2, False, "self-signed certificate"),
        ("example.org", 2, True, "IP address mismatch"),
        ("127.0.0.1", -1, True, "certificate has expired"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int, trusted: bool, says: str
) -> None:
    made, key = certificate(tmp_path, name, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
    with encrypted_server(made, key) as url:
        with pytest.raises(
            ServerError, match=f"certificate.*is not accepted: .*{says}.*SSL_CERT_FILE"
        ) as refused:
            version_of(url, kind_of("vllm"))
        [error, *_] = load_errors(url, "/v1/completions")
    assert "\n" not in str(refused.value)
    assert error is not None and says in error and "SSL_CERT_FILE" in error


def test_a_server_without_https_is_said() -> None:
    port = free_port()
    command = [sys.executable, "-m", "benchmark_tasks.testing.mock_server", f"--port={port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline()
        with pytest.raises(ServerError, match="does not speak HTTPS: use http://"):
            version_of(f"https://127.0.0.1:{port}", kind_of("vllm"))
    finally:
        process.kill()
        process.wait(10)
