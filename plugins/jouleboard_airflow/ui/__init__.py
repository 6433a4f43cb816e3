"""Pages in Airflow's UI: leaderboard, tab of DAGs and runs, widget. `web.build_app` is their application.

Only the API server imports the modules below, as they need Airflow's web application and database.
"""

from __future__ import annotations

__all__ = [
    "api",
    "figures",
    "forms",
    "headers",
    "logins",
    "metrics",
    "opening",
    "overview",
    "pages",
    "published_rows",
    "web",
]
