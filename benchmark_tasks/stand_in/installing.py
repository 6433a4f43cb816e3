"""Puts the plugin where a vLLM environment finds it: one folder for its PYTHONPATH, nothing installed."""

from __future__ import annotations

import shutil
from pathlib import Path

PACKAGE = "jouleboard_stand_in"
_MODULES = ("support.py", "recipe.py", "checkpoint.py", "pipelines.py", "vllm_plugin.py")
_METADATA = "Metadata-Version: 2.1\nName: jouleboard-stand-in\nVersion: 1\n"
_ENTRY_POINTS = f"[vllm.general_plugins]\njouleboard_stand_in = {PACKAGE}.vllm_plugin:register\n"


def write_plugin_folder(folder: Path) -> Path:
    """A copy of the modules under a name of their own, and the metadata that names their entry point.

    Returns:
        `folder`, to go onto the PYTHONPATH of the server.
    """
    package, metadata = folder / PACKAGE, folder / f"{PACKAGE}-1.dist-info"
    for directory in (package, metadata):
        directory.mkdir(parents=True, exist_ok=True)
    for module in _MODULES:
        shutil.copyfile(Path(__file__).with_name(module), package / module)
    (package / "__init__.py").write_text('"""Weights drawn while vLLM loads them."""\n')
    (metadata / "METADATA").write_text(_METADATA)
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    return folder
