"""Which files of a release can be installed on the hosts that measure: wheels for their platform and Python.

Files of a release appear on an index one by one, over minutes or hours. A source archive alone does not
count: building a runtime from it takes a compiler, a GPU toolkit and an hour.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags
from packaging.utils import parse_wheel_filename
from pypi_simple import DistributionPackage

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import Settings

_PYTHON = "{}.{}".format(*sys.version_info)
_WHEEL = "wheel"
_SHOWN = 3

_PLATFORM = re.compile(r"manylinux_2_([1-9][0-9]?)_([a-z0-9_]+)")
_OLDEST_GLIBC = 5
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Names of platforms before they named their glibc, by its minor version."""


def why_not_installable(files: Iterable[DistributionPackage], settings: Settings) -> str | None:
    """Why no file can be installed on the hosts that measure; `None` if one can be.

    The Python is the one of this process, of which environments are made.

    Raises:
        SettingsError: `JOULEBOARD_FLEET_PLATFORM` is not the platform tag of a wheel.
    """
    wheels = [file for file in files if file.package_type == _WHEEL]
    if not wheels:
        return "only a source archive is listed"
    tags = frozenset(_tags(settings.fleet_platform))
    fitting = [wheel for wheel in wheels if not tags.isdisjoint(_tags_of(wheel))]
    if any(_takes_python(wheel) for wheel in fitting):
        return None
    if fitting:
        return f"its wheels need Python {fitting[0].requires_python}; environments are made of {_PYTHON}"
    named = sorted({wheel.filename.removesuffix(".whl").split("-", 2)[-1] for wheel in wheels})
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    platform = settings.fleet_platform or next(sys_tags()).platform
    return f"no wheel for Python {_PYTHON} on {platform}, only for {', '.join(named[:_SHOWN])}{more}"


def _tags_of(wheel: DistributionPackage) -> frozenset[Tag]:
    """The tags of a wheel; none if its name is not that of a wheel."""
    try:
        return parse_wheel_filename(wheel.filename)[3]
    except ValueError:  # InvalidWheelFilename, or a number of more digits than Python reads
        return frozenset()


def _takes_python(file: DistributionPackage) -> bool:
    """Whether the file is for this Python; what cannot be read counts as no condition, as for pip."""
    try:
        return SpecifierSet(file.requires_python or "").contains(
            ".".join(map(str, sys.version_info[:3])), prereleases=True
        )
    except ValueError:  # InvalidSpecifier, or a number of more digits than Python reads
        return True


@lru_cache
def _tags(platform: str | None) -> tuple[Tag, ...]:
    """What is installed on a platform, or on this machine, with this process's version of Python."""
    if platform is None:
        return tuple(sys_tags())
    platforms = list(_platforms(platform))
    python = sys.version_info[:2]
    return (*cpython_tags(python, platforms=platforms), *compatible_tags(python, platforms=platforms))


def _platforms(newest: str) -> Iterator[str]:
    """A platform tag and those of every older glibc."""
    match = _PLATFORM.fullmatch(newest)
    if match is None:
        raise SettingsError(
            f"JOULEBOARD_FLEET_PLATFORM={newest}: give the platform tag of a wheel,"
            " for example manylinux_2_35_aarch64"
        )
    for minor in range(int(match[1]), _OLDEST_GLIBC - 1, -1):
        yield f"manylinux_2_{minor}_{match[2]}"
        if minor in _OLD_NAMES:
            yield f"{_OLD_NAMES[minor]}_{match[2]}"
    yield f"linux_{match[2]}"
