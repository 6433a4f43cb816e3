"""Which choices of a form are impossible on this installation, why, and what fits instead.

The API calls these checks before there is a run (`ui/forms.py`), and the first task of a run calls them
again: both report all impossible fields of a form in one message. The form itself checks only one field at a
time. Imported by DAG files, so everything heavy is imported inside the functions.
"""

from __future__ import annotations

from jouleboard_airflow.tasks.choices.fields import (
    CONFIRM,
    CONTEST,
    CONTRIBUTION,
    HOUSEKEEPING,
    IMPORT,
    OBJECTIVE,
    ON_DEMAND,
    PROPOSE,
    RECHECK,
    REFRESH,
    RELEASE,
    ROTATION,
    TITLES,
)
from jouleboard_airflow.tasks.choices.forms import (
    of_import,
    on_demand,
    on_demand_here,
    release,
    with_gpu_model,
)
from jouleboard_airflow.tasks.choices.free_text import LONGEST_TEXT, texts
from jouleboard_airflow.tasks.choices.misfit import Impossible, Misfit, require_possible
from jouleboard_airflow.tasks.choices.placement import sleep_levels_of
from jouleboard_airflow.tasks.choices.requests import requests_of

__all__ = [
    "CONFIRM",
    "CONTEST",
    "CONTRIBUTION",
    "HOUSEKEEPING",
    "IMPORT",
    "LONGEST_TEXT",
    "OBJECTIVE",
    "ON_DEMAND",
    "PROPOSE",
    "RECHECK",
    "REFRESH",
    "RELEASE",
    "ROTATION",
    "TITLES",
    "Impossible",
    "Misfit",
    "of_import",
    "on_demand",
    "on_demand_here",
    "release",
    "requests_of",
    "require_possible",
    "sleep_levels_of",
    "texts",
    "with_gpu_model",
]
