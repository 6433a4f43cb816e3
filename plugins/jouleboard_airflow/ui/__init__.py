"""Pages in Airflow's UI: leaderboard, sweeps of a DAG, widget. `web.build_app` is their application.

Only the API server imports the modules below, as they need Airflow's web application and database.
"""

from __future__ import annotations

__all__ = ["overview", "pages", "web"]
