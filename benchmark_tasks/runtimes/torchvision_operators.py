"""Lets a torchvision that was built for CUDA be imported beside a torch that was built for CPUs.

Such a torchvision cannot load its compiled operators, and fails only because it describes two of them
to a torch that has never heard of them. Nothing that prepares pictures for a model calls them. Copied
into an environment with a `.pth` file beside it (`environments.py`), this declares the two when
torchvision is first imported. It runs in the runtime's interpreter and imports nothing of ours.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import Any


class _DeclareFirst(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        import torch

        self.library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(self)
        return importlib.util.find_spec(name)


_kept: list[_DeclareFirst] = []
"""What was declared lasts as long as its library object."""

if __name__ != "benchmark_tasks.runtimes.torchvision_operators":
    sys.meta_path.insert(0, _DeclareFirst())
