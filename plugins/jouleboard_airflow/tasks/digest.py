"""What `weekly_digest` does: the digest of the last week, left to the notifier."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowSkipException

from benchmark_tasks.settings import Settings


def send_digest() -> str:
    """Leave the digest to the notifier; returns its title.

    Raises:
        AirflowSkipException: nothing is published yet.
        PublicationError, DiskFull
    """
    from expectations import publications
    from expectations.history import digest
    from jouleboard_airflow.notifications.delivery import post
    from jouleboard_airflow.notifications.receivers import Message, Mood

    settings = Settings.from_environment()
    if publications.current_number(settings.published) is None:
        raise AirflowSkipException("nothing is published yet")
    week = digest.digest(settings)
    post(Message(week.title, week.text, Mood.NEWS, week.html), settings)
    return week.title
