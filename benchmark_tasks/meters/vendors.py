"""The GPU vendors that can be measured, and which of them made the GPUs of this machine."""

from __future__ import annotations

from benchmark_tasks.meters.nvml import NVIDIA
from benchmark_tasks.meters.vendor import GpuVendor

VENDORS: tuple[GpuVendor, ...] = (NVIDIA,)
"""A machine with GPUs of several vendors is measured on the first one's."""


def vendor_here() -> GpuVendor:
    """The first vendor whose driver shows a GPU here; the first of all where none does."""
    first, *others = VENDORS
    return next((vendor for vendor in others if not first.driver().count and vendor.driver().count), first)
