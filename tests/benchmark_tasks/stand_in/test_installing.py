"""The plugin's folder is all that a vLLM environment needs to find it."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from benchmark_tasks.stand_in.installing import write_plugin_folder


def test_the_folder_has_an_entry_point_that_vllm_looks_for(tmp_path: Path) -> None:
    folder = write_plugin_folder(tmp_path / "plugin")
    (found,) = distributions(path=[str(folder)])
    (entry,) = found.entry_points.select(group="vllm.general_plugins")
    assert entry.value == "jouleboard_stand_in.vllm_plugin:register"
    assert (folder / "jouleboard_stand_in" / "vllm_plugin.py").exists()


def test_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    first = {p: p.read_bytes() for p in write_plugin_folder(tmp_path).rglob("*") if p.is_file()}
    second = {p: p.read_bytes() for p in write_plugin_folder(tmp_path).rglob("*") if p.is_file()}
    assert first == second
