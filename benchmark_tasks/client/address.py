"""Where a server is: host, port, encryption, the path before its own paths, and the key it wants."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """A server's address.

    host: as it is resolved, an IPv6 address without brackets. base_path: comes before every path.
    key: sent as a bearer token; never shown or recorded.
    """

    host: str
    port: int
    base_path: str = ""
    encrypted: bool = False
    key: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, key: str | None = None) -> Address:
        """The address that a URL names: `http://host:port`, with a path or without."""
        parts = urlsplit(url)
        scheme = parts.scheme or "http"
        return cls(
            host=(parts.hostname or "127.0.0.1").replace("%25", "%"),  # a zone: fe80::1%25eth0
            port=parts.port or _PORTS[scheme],
            base_path=parts.path.rstrip("/"),
            encrypted=scheme == "https",
            key=key,
        )

    @property
    def name(self) -> str:
        """Host and port as a `Host` header has them; the usual port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORTS["https" if self.encrypted else "http"]
        return host if usual else f"{host}:{self.port}"

    @property
    def security(self) -> ssl.SSLContext | None:
        """How the connection is encrypted; `None` if it is not."""
        return _default_security() if self.encrypted else None

    def head(self, path: str, length: int) -> bytes:
        """The head of a request for a stream, with a JSON body of `length` bytes."""
        key = f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        return (
            f"POST {self.base_path}{path} HTTP/1.1\r\nHost: {self.name}\r\nContent-Type: application/json\r\n"
            f"Accept: text/event-stream\r\nAccept-Encoding: identity\r\n{key}Content-Length: {length}\r\n\r\n"
        ).encode()


def refused_certificate(error: BaseException | None) -> str | None:
    """What is wrong with the encryption of a connection, and what to do; `None` if it is something else.

    error: what connecting raised, or the reason in it (`urllib.error.URLError.reason`).
    """
    error = getattr(error, "reason", None) if not isinstance(error, ssl.SSLError) else error
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not accepted: {error.verify_message}: set SSL_CERT_FILE to the file of its "
            "authority, or use the host name that the certificate is for"
        )
    if isinstance(error, ssl.SSLError):
        return f"it does not speak HTTPS: use http://, or its port for HTTPS ({error.reason})"
    return None


@cache
def _default_security() -> ssl.SSLContext:
    return ssl.create_default_context()
