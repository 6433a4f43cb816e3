"""CPU time of a model server: of all its processes, and of those in front of its engine.

A runtime may say how the titles of its engine's processes begin; all others receive requests:
they decode pictures, apply templates, tokenize, and prepare pictures for the vision encoder. Where
no process carries an engine's title, which is which is unknown, and only the sum is given.
"""

from __future__ import annotations

import psutil


def cpu_seconds(pid: int, engine_titles: tuple[str, ...]) -> tuple[float, float | None] | None:
    """(seconds of a process and all its descendants, of those that are not the engine) until now.

    engine_titles: how the titles of an engine's processes begin.

    What an engine starts (a compiler, say) belongs to it. Children that have ended and were waited for
    count with their parents. `None`: the process is gone.
    """
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return None
    engines: set[int] = set()
    total = frontend = 0.0
    for process in tree:  # parents come before their children
        try:
            times, title, parent = process.cpu_times(), process.name(), process.ppid()
        except psutil.Error:
            continue  # it ended meanwhile
        spent = times.user + times.system + times.children_user + times.children_system
        total += spent
        if parent in engines or title.startswith(engine_titles):
            engines.add(process.pid)
        else:
            frontend += spent
    return total, frontend if engines else None
