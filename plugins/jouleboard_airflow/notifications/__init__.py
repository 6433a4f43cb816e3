"""Who is told when something breaks, and when it is well again.

`tell` and `recovered` only note an incident in `$JOULEBOARD_HOME/notifications/`: they never wait and never
raise, so everybody may call them. The notifier (`platform/notifier.py`), a process of its own, sends.

from jouleboard_airflow.notifications import Incident, Kind, recovered, tell

    tell(Incident("component/scheduler", Kind.COMPONENT, "The scheduler has ended."), settings)
    recovered("component/scheduler", settings, "It was started again.")
"""

from __future__ import annotations

from jouleboard_airflow.notifications.incidents import Incident, Kind
from jouleboard_airflow.notifications.telling import recovered, tell

__all__ = [
    "Incident",
    "Kind",
    "delivery",
    "in_airflow",
    "incidents",
    "messages",
    "published",
    "receivers",
    "records",
    "recovered",
    "tell",
    "telling",
]
