"""CPU time of a model server: of all its processes, and of those in front of its engine.

The engine's processes call themselves so (vLLM sets their titles); all others receive requests:
they decode pictures, apply templates, tokenize, and prepare pictures for the vision encoder. Where
no process carries an engine's title, which is which is unknown, and only the sum is given.
"""

from __future__ import annotations

import psutil

_ENGINE_TITLES = ("VLLM::Engine", "VLLM::Worker")


def cpu_seconds(pid: int) -> tuple[float, float | None] | None:
    """(seconds of a process and all its descendants, of those that are not the engine) until now.

    Children that have ended and were waited for count with their parents. `None`: the process is gone.
    """
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return None
    total = engine = 0.0
    engines = 0
    for process in tree:
        try:
            times, title = process.cpu_times(), process.name()
        except psutil.Error:
            continue  # it ended meanwhile
        spent = times.user + times.system + times.children_user + times.children_system
        total += spent
        if title.startswith(_ENGINE_TITLES):
            engine += spent
            engines += 1
    return total, total - engine if engines else None
