"""The fields of the forms: their titles, and which form has which."""

from __future__ import annotations

TITLES = {
    "answer_column": "Column of right answers",
    "answer_form": "Answer form",
    "answer_within_hours": "Hours to answer",
    "apply": "Apply",
    "approve": "Approve",
    "ask_above_gpu_hours": "Ask above (GPU-hours)",
    "basis": "From",
    "batch_sizes": "Batch sizes",
    "burstiness": "Burstiness",
    "canary_share": "Canaries' share",
    "change": "Change",
    "choices": "Letters to choose from",
    "contributor": "Contributor",
    "decision": "Decision",
    "force": "Force",
    "gpu_model": "GPU model",
    "hub": "Ask the model hub",
    "itl_ms": "ITL at most (ms)",
    "itl_percentile": "ITL percentile",
    "keep_answers": "Keep answers",
    "margin": "Margin",
    "max_output_tokens": "Longest answer (tokens)",
    "model": "Model",
    "model_id": "Model",
    "models": "Models",
    "note": "Note",
    "num_gpus": "Number of GPUs",
    "objective": "Objective",
    "prompts": "Prompts",
    "rates": "Request rates",
    "repeats": "Repeats",
    "request_seed": "Seed of requests",
    "revision": "Revision",
    "runtime": "Runtime",
    "sample": "Sample",
    "scope": "Scope",
    "sleep": "Sleep",
    "source": "Source",
    "task": "Task",
    "tasks": "Tasks",
    "temperature": "Temperature",
    "ttft_ms": "TTFT at most (ms)",
    "ttft_percentile": "TTFT percentile",
    "version": "Version",
    "weekly_gpu_hours": "GPU-hours per week",
    "weights": "Weights",
    "weights_folder": "Folder of weights",
}
"""Title of each field, as the forms show it, by its name."""

REQUESTS = (
    "prompts",
    "answer_form",
    "answer_column",
    "choices",
    "max_output_tokens",
    "temperature",
    "request_seed",
    "keep_answers",
)
"""What is asked: parameters of `benchmark_tasks.plan.chosen_requests`."""

ON_DEMAND = (
    "model",
    "task",
    "gpu_model",
    "num_gpus",
    "batch_sizes",
    "rates",
    "burstiness",
    "sleep",
    "version",
    "repeats",
    "weights",
    "weights_folder",
    *REQUESTS,
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
    "scope",
    "margin",
    "canary_share",
    "note",
    "ask_above_gpu_hours",
    "approve",
    "answer_within_hours",
)
RECHECK = ("sample", "repeats", "gpu_model", "note")
ROTATION = ("weekly_gpu_hours", "gpu_model", "note")
CONFIRM = ("weekly_gpu_hours", "basis", "gpu_model", "note")
CONTEST = ("change", "decision", "note")
OBJECTIVE = ("objective", "decision", "ttft_ms", "ttft_percentile", "itl_ms", "itl_percentile", "note")
REFRESH = ("note", "approve", "answer_within_hours")
IMPORT = ("source", "note")
CONTRIBUTION = ("contributor", "source", "answer_within_hours")
HOUSEKEEPING = ("apply",)
PROPOSE = ("model_id", "gpu_model", "answer_within_hours")
"""Names of the fields of each form; `watch_releases` has one field per watched project, too."""
