"""The file `SIGNATURE`: of `SHA256SUMS` or `manifest.json` beside it, which lists the hashes of all others.

One line of JSON: the public key, and its signature of that file's bytes. So the two files and the listed
hashes cover every byte of a folder. `openssl pkeyutl -verify -rawin` verifies it, too (docs/signatures.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from pathlib import Path

from benchmark_tasks.errors import SignatureError

SIGNATURE_FILE = "SIGNATURE"
PREFIX = "ed25519:"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_MOST_BYTES = 1024


def key_id(public_key: str) -> str:
    """Short name of a public key (`ed25519:...`): 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key_bytes(public_key)).hexdigest()[:16]


def key_bytes(public_key: str) -> bytes:
    """The 32 bytes of a public key in its text form, `ed25519:` and base64.

    Raises:
        SignatureError: it has another form.
    """
    if not public_key.startswith(PREFIX):
        raise SignatureError(f"{public_key[:80]!r} is not a public key: it begins with {PREFIX}")
    return _decoded(public_key.removeprefix(PREFIX), _KEY_BYTES, "the public key")


def text_of(raw: bytes) -> str:
    """The text form of the 32 bytes of a public key."""
    return PREFIX + base64.b64encode(raw).decode()


def rendered(public_key: str, signature: bytes) -> str:
    """The only content that `SIGNATURE` may have for a key and a signature."""
    return (
        json.dumps({"public_key": public_key, "signature": base64.b64encode(signature).decode()}, indent=None)
        + "\n"
    )


def signed_by(folder: Path) -> str | None:
    """The public key that `SIGNATURE` in a folder names; `None` if the folder is unsigned.

    Raises:
        SignatureError: the file cannot be read, or has another form.
    """
    parsed = _read(folder / SIGNATURE_FILE)
    return None if parsed is None else parsed[0]


def check(signed: Path) -> str | None:
    """Verify the signature of a file by `SIGNATURE` beside it; returns its public key, `None` if unsigned.

    Whether that key is trusted is for the registry to say. Where `cryptography` is missing, only the form
    is checked.

    Raises:
        SignatureError: the signature is not that of this file, or has another form.
    """
    parsed = _read(signed.parent / SIGNATURE_FILE)
    if parsed is None:
        return None
    public_key, signature = parsed
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return public_key
    try:
        Ed25519PublicKey.from_public_bytes(key_bytes(public_key)).verify(signature, signed.read_bytes())
    except FileNotFoundError as error:
        raise SignatureError(f"{signed}: missing; it is signed, so copy it again") from error
    except InvalidSignature as error:
        raise SignatureError(
            f"{signed}: changed since it was signed, or {SIGNATURE_FILE} beside it was; copy both again"
        ) from error
    return public_key


def _read(path: Path) -> tuple[str, bytes] | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SignatureError(f"{path}: cannot be read now ({error.strerror or error})") from error
    try:
        fields = json.loads(content)
        public_key = fields["public_key"]
        key_bytes(public_key)
        signature = _decoded(fields["signature"], _SIGNATURE_BYTES, "the signature")
        is_ours = rendered(public_key, signature).encode() == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SignatureError) as error:
        raise SignatureError(f"{path}: damaged, it holds no signature; copy it again") from error
    if not is_ours:
        raise SignatureError(f"{path}: changed since it was written; copy it again")
    return public_key, signature


def _decoded(text: str, length: int, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"{what} is not base64") from error
    if len(raw) != length:
        raise SignatureError(f"{what} has {len(raw)} bytes, not {length}")
    return raw
