"""Signatures of bundles and publications: keys, their registry, files that are signed.

A signature says whose key signed, and that no byte has changed since. It is Ed25519 (RFC 8032), made by the
package `cryptography`, which a host that only measures may lack: then its bundles are unsigned.
"""

from benchmark_tasks.signing.private_key import Signer, new_key, require_signer, signer_of
from benchmark_tasks.signing.registry import Key, KeyKind, Registry
from benchmark_tasks.signing.signature import SIGNATURE_FILE, check, key_id, signed_by

__all__ = [
    "SIGNATURE_FILE",
    "Key",
    "KeyKind",
    "Registry",
    "Signer",
    "check",
    "key_id",
    "new_key",
    "require_signer",
    "signed_by",
    "signer_of",
]
