"""Airflow's own metrics: switched on by one setting, `JOULEBOARD_AIRFLOW_METRICS`.

`statsd://HOST:PORT` sends them to a StatsD server, for example Prometheus' statsd_exporter.
`http://HOST:PORT` or `https://HOST:PORT` sends them to a collector of OpenTelemetry (OTLP over HTTP).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from benchmark_tasks.errors import SettingsError

VARIABLE = "JOULEBOARD_AIRFLOW_METRICS"
_PORTS = {"statsd": 8125, "http": 4318, "https": 4318}


def metrics_section(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The section `[metrics]` of Airflow's configuration; empty without the setting.

    Raises:
        SettingsError: the setting is not such an address.
    """
    text = environment.get(VARIABLE)
    if not text:
        return {}
    try:
        address = urlsplit(text)
        scheme, host, port = address.scheme, address.hostname, address.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in _PORTS or not host:
        raise SettingsError(f"{VARIABLE}={text}: use statsd://HOST:PORT or http://HOST:PORT")
    port = port or _PORTS[scheme]
    if scheme == "statsd":
        return {"statsd_on": "True", "statsd_host": host, "statsd_port": str(port)}
    return {
        "otel_on": "True",
        "otel_host": host,
        "otel_port": str(port),
        "otel_ssl_active": str(scheme == "https"),
    }
