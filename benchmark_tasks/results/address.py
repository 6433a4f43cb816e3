"""Addresses of places that hold files: a folder, or the URL of a store. What is wrong with one, in words."""

from __future__ import annotations

_LOCAL = ("file", "local")
_OBJECTS = ("abfs", "abfss", "adl", "az", "b2", "gcs", "gs", "oci", "oss", "r2", "s3", "s3a")
_HOSTS = (
    "dav",
    "ftp",
    "ftps",
    "hdfs",
    "http",
    "https",
    "nfs",
    "rsync",
    "scp",
    "sftp",
    "smb",
    "ssh",
    "webdav",
)
_SCHEMES = frozenset((*_LOCAL, *_OBJECTS, *_HOSTS, "memory", "webhdfs"))
"""A path that begins like one of these was meant to be a URL: nobody names a file `s3:`."""


def problem(address: str) -> str | None:
    """Why an address names no place, and what to write instead; `None` if it may be one. Asks nobody."""
    if not address.strip():
        return "it is empty: name a folder, or a store as SCHEME://BUCKET/FOLDER"
    scheme, is_url, rest = address.partition("://")
    if not is_url:
        scheme = address.partition(":")[0]
        if ":" in address and scheme.lower() in _SCHEMES:
            return (
                f"a URL has :// after {scheme}: write {_example(scheme)},"
                f" or ./{address} for a file or folder of that name"
            )
        return None
    if not scheme:
        return "it has no scheme: write SCHEME://BUCKET/FOLDER, for example s3://bucket/folder"
    if scheme.lower() in _LOCAL:
        return None if rest.startswith("/") else f"it has no absolute path: write {_example(scheme)}"
    if not rest.partition("/")[0].strip():
        return f"it has no bucket or host: write {_example(scheme)}"
    return None


def without_end(address: str) -> str:
    """The address without `/` at its end; `s3://` and `/` stay what they are."""
    start, is_url, rest = address.rpartition("://")
    return start + is_url + rest.rstrip("/") if rest.rstrip("/") else address


def _example(scheme: str) -> str:
    return f"{scheme}:///FOLDER" if scheme.lower() in _LOCAL else f"{scheme}://BUCKET_OR_HOST/FOLDER"
