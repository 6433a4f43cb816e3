"""Web addresses that may hold a password: shown without it, or refused without being repeated."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from benchmark_tasks.errors import SettingsError

UNSHOWN = "(an address that cannot be read)"


def require_address(url: str, what: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """The address without white space around it. what: names it, and where it is set, in the message.

    Raises:
        SettingsError: it has no scheme or host, or a user name or password with an unwritten `/`, `?` or `#`.
    """
    url = url.strip()
    if _is_clear(url, schemes):
        return url
    raise SettingsError(
        f"{what} is not a web address (not shown, as it may hold a password): it begins with http:// or "
        "https:// and a host; in a user name or password write / as %2F, ? as %3F, # as %23 and @ as %40"
    )


def without_credentials(url: str) -> str:
    """The address without user name, password and query, to be printed.

    A path with `@` is left out: `user:12/word@host` reads as host `user` and port 12.
    """
    if not _is_clear(url, ("http", "https", "file")):
        return UNSHOWN if "@" in url or "://" not in url else url.partition("?")[0]
    parts = urlsplit(url)
    host, path = parts.netloc.rpartition("@")[2], parts.path
    return urlunsplit((parts.scheme, host, "/..." if "@" in path else path, "", ""))


def _is_clear(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in schemes or re.search(r"[\s\x00-\x1f\x7f]", url):
        return False
    return bool(host) or parts.scheme == "file"
