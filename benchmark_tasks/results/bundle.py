"""The files of one run.

<run_id>/
    run.json             the record (`schema.Run`)
    requests.parquet     one row per request; latencies as int32 microseconds in list columns
    timelines.parquet    power, clocks, temperature, server metrics: long format
    server.log           the model server's output
    driver.log           the measuring process's own log
    answers.parquet      text of the first answers, where they are kept; tokens only
    sample.jpg           one generated image, or frames of one video; diffusion only
    SHA256SUMS           of the files above, in the format of `sha256sum -c`
    SIGNATURE            of SHA256SUMS, if the host has a key; written last
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from benchmark_tasks.disk import sha256
from benchmark_tasks.errors import BundleError, SignatureError, first_problem
from benchmark_tasks.results.schema import Run
from benchmark_tasks.signing import SIGNATURE_FILE, Signer, check

RUN_FILE = "run.json"
REQUESTS_FILE = "requests.parquet"
TIMELINES_FILE = "timelines.parquet"
SERVER_LOG = "server.log"
DRIVER_LOG = "driver.log"
SAMPLE_FILE = "sample.jpg"
ANSWERS_FILE = "answers.parquet"
CHECKSUMS_FILE = "SHA256SUMS"

FILES = (RUN_FILE, REQUESTS_FILE, TIMELINES_FILE, SERVER_LOG, DRIVER_LOG)
OPTIONAL_FILES = (SAMPLE_FILE, ANSWERS_FILE)
_NOT_SUMMED = (CHECKSUMS_FILE, SIGNATURE_FILE)


def write_record(directory: Path, run: Run, signer: Signer | None = None) -> None:
    """Write `run.json`, then the checksums of every file present, then sign them: the bundle is complete."""
    text = json.dumps(run.model_dump(mode="json"), indent=1, allow_nan=False)
    (directory / RUN_FILE).write_text(text + "\n")
    files = [path for path in sorted(directory.iterdir()) if path.is_file() and path.name not in _NOT_SUMMED]
    lines = [f"{sha256(path)}  {path.name}" for path in files]
    (directory / CHECKSUMS_FILE).write_text("\n".join(lines) + "\n")
    if signer is not None:
        signer.sign(directory / CHECKSUMS_FILE)


def read_record(directory: Path) -> Run:
    """Parse `run.json`.

    Raises:
        BundleError: the file is missing or not a record of this schema, the folder has other things than
            plain files, or it cannot be read at this moment.
    """
    path = directory / RUN_FILE
    with readable(directory):
        _require_plain_files(directory)
    try:
        with readable(path):
            content = path.read_bytes()
        run = Run.model_validate_json(content)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing; land the bundle again from where it was measured") from error
    except ValidationError as error:
        raise BundleError(f"{path}: {first_problem(error)}; the run must be measured again") from error
    if run.run_id != directory.name:
        raise BundleError(f"{path}: run_id {run.run_id} does not match its folder {directory.name}")
    return run


def verify(directory: Path) -> Run:
    """Check `SHA256SUMS` against its signature, every file against `SHA256SUMS`, and parse the record.

    Whether the key that signed is trusted is not asked here.

    Raises:
        BundleError: a file is missing, extra, changed or cannot be read at this moment; names the first one.
    """
    with readable(directory):
        _require_plain_files(directory)
        try:
            check(directory / CHECKSUMS_FILE)
        except SignatureError as error:
            raise BundleError(str(error)) from error
        expected = _read_checksums(directory)
        present = {path.name for path in directory.iterdir() if path.name not in _NOT_SUMMED}
    for name in sorted(expected.keys() | present):
        if name not in present:
            raise BundleError(f"{directory / name}: missing; copy the bundle again")
        if name not in expected:
            raise BundleError(f"{directory / name}: not listed in {CHECKSUMS_FILE}; not part of this bundle")
        with readable(directory / name):
            digest = sha256(directory / name)
        if digest != expected[name]:
            raise BundleError(f"{directory / name}: changed or truncated since it was written; copy it again")
    return read_record(directory)


def record_is_as_landed(directory: Path) -> bool:
    """Whether `run.json` is as its checksums say; those themselves are not verified."""
    try:
        return sha256(directory / RUN_FILE) == _read_checksums(directory).get(RUN_FILE)
    except (OSError, BundleError):
        return False


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one line; a missing file is passed on.

    Such a cause may pass: permissions are given, a network share comes back.

    Raises:
        BundleError: names the file and the operating system's reason.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BundleError(
            f"{error.filename or path}: cannot be read now ({error.strerror or error});"
            " give this account read permission, or check the disk or network share"
        ) from error


def _require_plain_files(directory: Path) -> None:
    """Refuse links, which lead to files elsewhere, and pipes, on which a reader would wait for ever."""
    try:
        with os.scandir(directory) as entries:
            others = sorted(entry.name for entry in entries if not entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"{directory}: no such folder; land the bundle again") from error
    if others:
        raise BundleError(f"{directory / others[0]}: not a plain file; a bundle has only files")


def _read_checksums(directory: Path) -> dict[str, str]:
    path = directory / CHECKSUMS_FILE
    try:
        content = path.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: missing or unreadable; this is not a complete bundle") from error
    pairs = [line.split("  ", 1) for line in content.splitlines()]
    if any(len(pair) != 2 or pair[1] not in FILES + OPTIONAL_FILES for pair in pairs):
        raise BundleError(f"{path}: malformed, or names a file that no bundle has")
    sums = {name: digest for digest, name in pairs}
    if "".join(f"{digest}  {name}\n" for name, digest in sums.items()) != content:
        raise BundleError(f"{path}: changed since it was written; copy it again")
    return sums
