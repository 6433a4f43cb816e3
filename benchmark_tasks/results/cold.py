"""Cold storage of bundles: an object store or a slower folder that keeps the large files of old runs.

Of a bundle that was moved, `raw/.cold/<task>/<year-month>/<run_id>/` keeps the record and the checksums; its
other files lie at the address in `raw/.cold/address.json`, laid out as in any landing zone. Whoever needs
them calls `whole`, which fetches and verifies them. With a landing zone in an object store that is the
cold storage, too.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from benchmark_tasks import disk
from benchmark_tasks.errors import BundleError, LandingZoneUnreachable, SettingsError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.remote import Remote
from benchmark_tasks.signing import SIGNATURE_FILE

COLD = ".cold"
ADDRESS_FILE = "address.json"
KEPT_HERE = (bundle.RUN_FILE, bundle.CHECKSUMS_FILE, SIGNATURE_FILE)


def is_cold(folder: Path) -> bool:
    """Whether a bundle's folder keeps only the record, the checksums and their signature."""
    return any(parent.name == COLD for parent in folder.parents[2:3])


def own_folder(folder: Path) -> Path:
    """The folder that a bundle had before it was moved, and still has if it was not."""
    if not is_cold(folder):
        return folder
    root = folder.parents[3]
    return root / folder.relative_to(root / COLD)


def address(root: Path) -> str | None:
    """Where the cold bundles of a landing zone lie; `None` if none was ever moved.

    Raises:
        SettingsError: the file that says so cannot be read.
    """
    path = root / COLD / ADDRESS_FILE
    try:
        return str(json.loads(path.read_text())["url"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f'{path}: not readable; write {{"url": "..."}} with the address of the cold storage'
        ) from error


def set_address(root: Path, url: str) -> None:
    """Record where cold bundles lie.

    Raises:
        SettingsError: bundles lie at another address, and not all of them are at this one; or this place
            holds something else. Nothing was written then.
        LandingZoneUnreachable: the cold storage does not answer; nothing was written.
    """
    known = address(root)
    if known == url:
        return
    storage = Remote(url)
    storage.require_ours()
    if known is not None:
        there = set(storage.bundles())
        missing = [where for where in cold_bundles(root) if where not in there]
        if missing:
            raise SettingsError(
                f"{len(missing)} runs lie in the cold storage {known} and not in {url}: "
                "copy them there first, as they are"
            )
    disk.replace(root / COLD / ADDRESS_FILE, json.dumps({"url": url}) + "\n")


def cold_bundles(root: Path) -> list[str]:
    """Bundles that are in cold storage, as paths below the landing zone."""
    return sorted(glob("*/*/*", root_dir=root / COLD))  # noqa: PTH207 -- paths take ten times as long


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A folder with all files of a bundle: its own, or a verified copy from cold storage, removed later.

    Raises:
        BundleError: the copy in cold storage is not that bundle.
        LandingZoneUnreachable: the cold storage does not answer, or lacks the bundle.
    """
    if not is_cold(folder):
        yield folder
        return
    root = folder.parents[3]
    where = folder.relative_to(root / COLD).as_posix()
    url = address(root)
    if url is None:
        raise SettingsError(f"{root / COLD / ADDRESS_FILE}: missing; it says where cold bundles lie")
    with tempfile.TemporaryDirectory(prefix="jouleboard-cold-") as scratch:
        copy = Path(scratch) / folder.name
        copy.mkdir()
        _fetch(Remote(url), where, copy, folder)
        yield copy


def copy_away(root: Path, where: str, storage: Remote) -> None:
    """Copy a landed bundle to cold storage, and keep its record and checksums under `.cold`.

    The copy is fetched back and verified. What a killed process left is continued. Nothing is removed.

    Raises:
        BundleError: the bundle here is damaged, or its copy cannot be verified; it stays here.
        LandingZoneUnreachable: the cold storage does not answer; the bundle stays here.
    """
    folder, stub = root / where, root / COLD / where
    bundle.verify(folder)
    if not stub.exists():
        _copy_away(root, where, storage)
    elif _sums(stub) != _sums(folder):
        raise BundleError(f"{folder}: differs from the run of that id in cold storage; remove one of the two")


def size(folder: Path) -> int:
    """Bytes that leave this machine when a bundle is moved."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name not in KEPT_HERE)


def _copy_away(root: Path, where: str, storage: Remote) -> None:
    folder, stub = root / where, root / COLD / where
    storage.send(folder, where)
    beside = stub.with_name(f".{stub.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    with disk.disk_full_is_an_error(root):
        beside.mkdir(parents=True)
        try:
            with tempfile.TemporaryDirectory(prefix="jouleboard-cold-") as scratch:
                _require_same(storage, where, folder, Path(scratch))
            for name in filter(lambda name: (folder / name).exists(), KEPT_HERE):
                shutil.copyfile(folder / name, beside / name)
                disk.sync(beside / name)
            disk.sync(beside)
            beside.rename(stub)
            disk.sync(stub.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _require_same(storage: Remote, where: str, folder: Path, scratch: Path) -> None:
    """Fetch the copy and compare. A copy that a killed process sent in part is sent again."""
    for name, again in (("first", False), ("again", True)):
        copy = scratch / name / folder.name
        copy.mkdir(parents=True)
        if again:
            storage.send(folder, where, again=True)
        try:
            _fetch(storage, where, copy, folder)
        except BundleError:
            if again:
                raise
        else:
            return


def _fetch(storage: Remote, where: str, copy: Path, folder: Path) -> None:
    storage.fetch(where, copy)
    if not any(copy.iterdir()):
        raise LandingZoneUnreachable(
            f"the cold storage {storage.url} lacks {where}: is it mounted, or was the run moved?"
        )
    try:
        bundle.verify(copy)
        if _sums(copy) != _sums(folder):
            raise BundleError(f"{copy}: not the run that was moved there")
    except BundleError as error:
        raise BundleError(str(error).replace(str(copy), f"{storage.url}/{where}")) from error


def _sums(folder: Path) -> bytes:
    return (folder / bundle.CHECKSUMS_FILE).read_bytes()
