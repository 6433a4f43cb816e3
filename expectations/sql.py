"""SQL files beside their modules, with Jinja where they need parameters."""

from __future__ import annotations

from pathlib import Path

ROW_NAME = (
    "concat_ws(' | ', data_source, model_id, task, concat(num_gpus, 'x ', gpu_model),"
    " concat('batch ', batch_size), runtime_version, left(model_revision, 12), left(leaderboard_id, 8))"
)
"""Name of a leaderboard row for people; every file may use it as `{{ row_name }}`."""


def load_sql(path: Path, **parameters: object) -> str:
    """The text of a SQL file, its Jinja parameters filled in. They are SQL or names, never data.

    Raises:
        jinja2.UndefinedError: the file has a parameter that was not passed.
    """
    from jinja2 import Environment, StrictUndefined

    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(path.read_text())
    return template.render(row_name=ROW_NAME, **parameters)
