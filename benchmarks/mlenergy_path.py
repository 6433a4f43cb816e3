"""ML.ENERGY's own path on the same rows, run by a scratch environment that has `mlenergy-data`.

Loads `runs/llm.parquet` and `runs/diffusion.parquet` with their package and writes one JSON file per
task. Their leaderboard build script is not a package, so the writing is a plain dump of the same
fields: a lower bound of what theirs does. Imports nothing of this project.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path


def main(root: Path, out: Path) -> None:
    """Load, dump, print seconds and peak memory as one JSON object."""
    started = time.perf_counter()
    from mlenergy.data.records import DiffusionRuns, LLMRuns

    imported = time.perf_counter()
    runs = [*LLMRuns.from_directory(root), *DiffusionRuns.from_directory(root)]
    loaded = time.perf_counter()
    by_task: dict[str, list[dict[str, object]]] = {}
    for run in runs:
        public = {field.name for field in fields(run) if not field.name.startswith("_")}
        by_task.setdefault(run.task, []).append({k: v for k, v in asdict(run).items() if k in public})
    for task, rows in by_task.items():
        (out / f"{task}.json").write_text(json.dumps({"task": task, "configurations": rows}, indent=2))
    written = time.perf_counter()
    print(
        json.dumps(
            {
                "rows": len(runs),
                "import_seconds": imported - started,
                "load_seconds": loaded - imported,
                "write_seconds": written - loaded,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
