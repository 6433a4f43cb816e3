"""The private key of this installation, and signing with it.

It lies in `JOULEBOARD_HOME/.private/signing_key.pem` (PKCS #8), or where `JOULEBOARD_SIGNING_KEY` says. Only
its owner may read it. A folder with a hidden name is in no backup.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_tasks import disk
from benchmark_tasks.errors import SignatureError
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing.registry import Registry
from benchmark_tasks.signing.signature import SIGNATURE_FILE, rendered, text_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_INSTALL = "the package cryptography is missing: pip install 'jouleboard-measure[signatures]'"


@dataclass(frozen=True)
class Signer:
    """A private key that can sign. Its text form shows the public key only."""

    public_key: str
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, signed: Path) -> None:
        """Write `SIGNATURE` beside a file. Signing again gives the same bytes."""
        signature = self._key.sign(signed.read_bytes())
        disk.replace(signed.parent / SIGNATURE_FILE, rendered(self.public_key, signature))


def new_key(settings: Settings) -> Signer:
    """Make the private key of this installation.

    Raises:
        SignatureError: there is one already, or `cryptography` is missing.
    """
    path = settings.signing_key
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    except ImportError as error:
        raise SignatureError(_INSTALL) from error
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with disk.disk_full_is_an_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, disk.PRIVATE)
        except FileExistsError as error:
            raise SignatureError(
                f"{path}: there is a key already; move it away to make another"
                " (what it signed stays valid until its key is revoked)"
            ) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
    return Signer(text_of(key.public_key().public_bytes_raw()), key)


def signer_of(settings: Settings) -> Signer | None:
    """The signer of this installation; `None` if it has no key.

    Raises:
        SignatureError: there is a key, and it cannot be used; says why.
    """
    path = settings.signing_key
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SignatureError(f"{path}: cannot be read ({error.strerror or error})") from error
    if mode & 0o077:
        raise SignatureError(f"{path}: others may read this private key (mode {mode:04o}): chmod 600 it")
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise SignatureError(_INSTALL) from error
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"{path}: not a private key in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"{path}: not an Ed25519 key; `jouleboard keys new` makes one")
    return Signer(text_of(key.public_key().public_bytes_raw()), key)


def require_signer(settings: Settings, say: Callable[[str], None]) -> Signer | None:
    """The signer for what is made now. Without a usable key it is `None`, and `say` is told why.

    Raises:
        SignatureError: there is no usable key, and this installation's registry requires signatures.
    """
    registry = Registry.read(settings)
    required = registry.requires_signature(datetime.now(UTC))
    try:
        signer = signer_of(settings)
        _require_not_revoked(signer, registry)
    except SignatureError as error:
        if required:
            raise SignatureError(f"signatures are required here, and {error}") from error
        say(f"unsigned: {error}")
        return None
    if signer is None and required:
        raise SignatureError(
            f"signatures are required here, and there is no key in {settings.signing_key}:"
            " `jouleboard keys new NAME` makes one"
        )
    return signer


def _require_not_revoked(signer: Signer | None, registry: Registry) -> None:
    key = registry.find(signer.public_key) if signer else None
    if key is not None and key.revoked_at is not None:
        raise SignatureError(
            f"the key of {key.name}, which signs here, is revoked: move it away, make another"
        )
