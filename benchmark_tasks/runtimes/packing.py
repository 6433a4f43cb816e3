"""Packs runtimes for a GPU host that reaches no package index: one archive, small enough to be carried.

Each runtime gets a folder, named by its version, with every package that the host does not have in the
version that the runtime needs. Compiled kernels for other GPU generations are overwritten with zeros, equal
files are kept once, and the archive is cut into parts. Nothing is built or run here, so this machine needs
neither a GPU nor the host's Python.
"""

from __future__ import annotations

import os
import re
import struct
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from benchmark_tasks.disk import disk_full_is_an_error, sha256
from benchmark_tasks.errors import SettingsError
from benchmark_tasks.runtimes.installer import Installer, Progress
from benchmark_tasks.settings import Settings

PLATFORM = "x86_64-manylinux_2_39"
"""Of the hosts: x86-64, and glibc 2.39 or later."""

NOT_NEEDED = (
    "flashinfer-cubin", "flashinfer-python", "humming-kernels", "nvidia-cudnn-frontend", "nvidia-cutlass-dsl",
    "nvidia-cutlass-dsl-libs-base", "nvidia-cutlass-dsl-libs-cu13", "nvtx", "pynvvideocodec", "quack-kernels",
    "tilelang", "tokenspeed-mla", "torchaudio", "torchcodec", "z3-solver",
)  # fmt: skip
"""What vLLM and xDiT ask for and ran without, on a Hopper GPU with text, pictures and videos."""

ARCHIVE = "runtimes.tar.xz"

_CONTAINER = struct.pack("<I", 0xBA55ED50)
_CONTAINER_HEADER, _KERNEL_HEADER = struct.Struct("<IHHQ"), struct.Struct("<HHIQ12xI")
_PORTABLE, _MACHINE_CODE = 1, 2


def pack(
    requirements: Sequence[str],
    folder: Path,
    settings: Settings,
    *,
    host: Mapping[str, str],
    python: str,
    capability: str,
    part_bytes: int,
    progress: Progress = lambda _: None,
) -> list[Path]:
    """Pack runtimes into `folder`; returns the parts, in order. What a former call left there is replaced.

    requirements: one per runtime, with its version: `vllm==0.27.1`.
    host: version of each package that the host has, by name.
    python: the host's Python, `3.12`.
    capability: compute capability of the host's GPUs, `9.0`.

    Raises:
        SettingsError: a requirement does not name one version, two name the same, or a capability is none.
        EnvironmentBuildError: the index has no such packages for the host.
        DiskFull
    """
    versions = [_version_of(requirement) for requirement in requirements]
    if len(set(versions)) < len(versions):
        raise SettingsError(
            f"two runtimes of one version cannot lie in one folder: {', '.join(requirements)}"
        )
    if not re.fullmatch(r"\d+\.\d", capability):
        raise SettingsError(f"{capability} is no compute capability: it has two numbers, as 9.0 has")
    generation = int(capability.replace(".", ""))
    with disk_full_is_an_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".packing-") as scratch:
            root = Path(scratch) / "runtimes"
            root.mkdir()
            for requirement, version in zip(requirements, versions, strict=True):
                log = folder / f"{requirement.replace('==', '-')}.log"
                installer = Installer(root / version, log, settings, progress)
                pins = _pins(installer, requirement, Path(scratch), host, python)
                progress(f"{requirement}: {len(pins)} packages that the host does not have")
                _install(installer, pins, root / version, python)
                log.unlink()
                libraries = _files(root / version, "*.so*")
                saved = sum(_without_other_generations(library, generation) for library in libraries)
                progress(f"{requirement}: {saved / 2**20:,.0f} MiB of kernels of other GPUs overwritten")
            _keep_equal_files_once(root)
            progress("packing; this takes some minutes")
            archive = Path(scratch) / ARCHIVE
            _archive(root, archive)
            parts = list(_cut(archive, part_bytes))
            for old in folder.glob(f"{ARCHIVE}.*"):
                old.unlink()
            return [part.rename(folder / part.name) for part in parts]


def overwrite_other_generations(content: bytearray, generation: int) -> int:
    """Overwrite with zeros what a GPU generation cannot load, in place; returns how many bytes.

    Machine code runs on the generation that it is for and on later ones with the same first number (80: 8.0,
    8.6, 8.9); portable code is compiled by the driver, for its generation or a later one.

    CUDA's compiler puts kernels into containers: a header (magic number, version, size of the header, size of
    the rest), then entries, each with its kind, sizes, and the generation it is for (90: compute capability
    9.0). Where a container has machine code that can be loaded, everything else is overwritten; where it has
    none, portable code that can be compiled is kept.
    """
    overwritten, at = 0, 0
    while (at := content.find(_CONTAINER, at)) >= 0:
        entries, end = _entries(content, at)
        own = any(kind == _MACHINE_CODE and _runs_on(of, generation) for kind, of, *_ in entries)
        for kind, of, start, size in entries:
            if not (_runs_on(of, generation) if kind == _MACHINE_CODE else not own and of <= generation):
                content[start : start + size] = bytes(size)
                overwritten += size
        at = end
    return overwritten


def _runs_on(of: int, generation: int) -> bool:
    return of // 10 == generation // 10 and of <= generation


def _entries(content: bytearray, at: int) -> tuple[list[tuple[int, int, int, int]], int]:
    """Kind, generation, start and size of each entry of a container, and where to look for the next one."""
    nothing: list[tuple[int, int, int, int]] = []
    if at + _CONTAINER_HEADER.size > len(content):
        return nothing, len(content)
    _, _, header, size = _CONTAINER_HEADER.unpack_from(content, at)
    end = at + header + size
    if header != _CONTAINER_HEADER.size or end > len(content):
        return nothing, at + len(_CONTAINER)
    entries, position = [], at + header
    while position + _KERNEL_HEADER.size <= end:
        kind, _, header, size, generation = _KERNEL_HEADER.unpack_from(content, position)
        start = position + header
        if kind not in (_PORTABLE, _MACHINE_CODE) or header < _KERNEL_HEADER.size or start + size > end:
            return nothing, at + len(_CONTAINER)
        entries.append((kind, generation, start, size))
        position = start + size
    return entries, end


def _version_of(requirement: str) -> str:
    try:
        exact = [each.version for each in Requirement(requirement).specifier if each.operator == "=="]
    except InvalidRequirement:
        exact = []
    if len(exact) != 1 or "*" in exact[0]:
        raise SettingsError(f"{requirement}: name one version, NAME==VERSION")
    return exact[0]


def _pins(
    installer: Installer, requirement: str, scratch: Path, host: Mapping[str, str], python: str
) -> list[str]:
    """What is to be carried, `name==version` each. The host's versions are taken wherever they fit."""
    wanted, pins, without = scratch / "wanted.txt", scratch / "pins.txt", scratch / "without.txt"
    wanted.write_text(f"{requirement}\n")
    without.write_text("\n".join(NOT_NEEDED))
    # uv prefers the versions in a file that it is to write, wherever they fit.
    pins.write_text("".join(f"{name}=={version.partition('+')[0]}\n" for name, version in host.items()))
    files = (str(wanted), "--output-file", str(pins), "--excludes", str(without))
    plain = ("--no-header", "--no-annotate", "--quiet")
    installer.uv("choosing the packages", "pip", "compile", *files, *plain, *_for_host(python))
    named = [Requirement(line) for line in pins.read_text().splitlines() if line.strip()]
    has = {canonicalize_name(name): version for name, version in host.items()}
    return [
        f"{each.name}{each.specifier}"
        for each in named
        if not _meets(has.get(canonicalize_name(each.name)), each)
    ]


def _meets(version: str | None, pin: Requirement) -> bool:
    """Whether a version is the pinned one. A local part (`2.11.0+cu130`) does not matter, as for pip."""
    try:
        return version is not None and pin.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _install(installer: Installer, pins: Sequence[str], folder: Path, python: str) -> None:
    folder.mkdir()
    if pins:
        # Copied, not linked: the files are changed afterwards, and uv's cache must stay as it is.
        how = ("--target", str(folder), "--no-deps", "--link-mode", "copy", "--quiet")
        installer.uv("installing them", "pip", "install", *how, *pins, *_for_host(python))


def _for_host(python: str) -> tuple[str, ...]:
    return "--python-platform", PLATFORM, "--python-version", python, "--only-binary", ":all:"


def _files(root: Path, pattern: str = "*") -> list[Path]:
    """Files below a folder, in order; links to files are none."""
    return sorted(path for path in root.rglob(pattern) if path.is_file() and not path.is_symlink())


def _without_other_generations(library: Path, generation: int) -> int:
    content = bytearray(library.read_bytes())
    overwritten = overwrite_other_generations(content, generation)
    if overwritten:
        library.write_bytes(content)
    return overwritten


def _keep_equal_files_once(root: Path) -> None:
    """Make one file with several names of those that are equal; an archive holds it once."""
    first: dict[tuple[int, str], Path] = {}
    for path in _files(root):
        same = first.setdefault((path.stat().st_mode, sha256(path)), path)
        if same != path:
            path.unlink()
            os.link(same, path)


def _archive(root: Path, archive: Path) -> None:
    """Files of one name beside each other, whatever runtime they are of: they are similar."""

    def place(path: Path) -> tuple[str, str]:
        version, *inside = path.relative_to(root).parts
        return "/".join(inside), version

    with tarfile.open(archive, "w:xz", preset=3) as tar:
        for path in sorted((path for path in root.rglob("*") if not path.is_dir()), key=place):
            tar.add(path, str(path.relative_to(root)), filter=_without_owner)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _cut(archive: Path, part_bytes: int) -> Iterator[Path]:
    with archive.open("rb") as whole:
        number = 0
        while content := whole.read(part_bytes):
            part = archive.with_name(f"{archive.name}.{number:04}")
            part.write_bytes(content)
            yield part
            number += 1
