"""The fields of the forms: their titles, and which form has which."""

from __future__ import annotations

TITLES = {
    "answer_within_hours": "Hours to answer",
    "apply": "Apply",
    "approve": "Approve",
    "ask_above_gpu_hours": "Ask above (GPU-hours)",
    "batch_sizes": "Batch sizes",
    "force": "Force",
    "gpu_model": "GPU model",
    "hub": "Ask the model hub",
    "model": "Model",
    "model_id": "Model",
    "models": "Models",
    "note": "Note",
    "num_gpus": "Number of GPUs",
    "repeats": "Repeats",
    "revision": "Revision",
    "runtime": "Runtime",
    "sample": "Sample",
    "source": "Source",
    "task": "Task",
    "tasks": "Tasks",
    "version": "Version",
    "weights": "Weights",
}
"""Title of each field, as the forms show it, by its name."""

ON_DEMAND = (
    "model",
    "task",
    "gpu_model",
    "num_gpus",
    "batch_sizes",
    "version",
    "repeats",
    "weights",
    "force",
    "note",
)
RELEASE = (
    "runtime",
    "version",
    "models",
    "tasks",
    "repeats",
    "weights",
    "gpu_model",
    "force",
    "revision",
    "note",
    "ask_above_gpu_hours",
    "approve",
    "answer_within_hours",
)
RECHECK = ("sample", "repeats", "gpu_model", "note")
REFRESH = ("note", "approve", "answer_within_hours")
IMPORT = ("source", "note")
HOUSEKEEPING = ("apply",)
PROPOSE = ("model_id", "gpu_model", "answer_within_hours")
"""Names of the fields of each form; `watch_releases` has one field per watched project, too."""
