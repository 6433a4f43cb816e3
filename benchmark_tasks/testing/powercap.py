"""A tree of RAPL counters like the kernel's `/sys/class/powercap`, as Zeus reads it."""

from __future__ import annotations

from pathlib import Path


def add_zone(path: Path, name: str, *, joules: float = 0.0, range_joules: float = 262_143.0) -> Path:
    """One power zone (a package, or DRAM inside one); returns its folder."""
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{range_joules * 1e6:.0f}\n")
    set_joules(path, joules)
    return path


def set_joules(zone: Path, joules: float) -> None:
    """Set a zone's counter to this many joules."""
    (zone / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")
