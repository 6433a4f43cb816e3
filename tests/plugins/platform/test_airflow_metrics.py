"""Airflow's own metrics: the setting, and that Airflow sends them where it says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from benchmark_tasks.errors import SettingsError
from jouleboard_airflow.platform.airflow_metrics import VARIABLE, metrics_section


def test_without_the_setting_nothing_is_sent() -> None:
    assert metrics_section({}) == {}


def test_a_collector_of_open_telemetry() -> None:
    section = metrics_section({VARIABLE: "https://collector.example.org"})
    assert section == {
        "otel_on": "True",
        "otel_host": "collector.example.org",
        "otel_port": "4318",
        "otel_ssl_active": "True",
    }


@pytest.mark.parametrize("text", ["localhost:8125", "udp://localhost:1", "statsd://", "statsd://h:port"])
def test_what_is_no_such_address_is_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match="use statsd://HOST:PORT or http://HOST:PORT"):
        metrics_section({VARIABLE: text})


def test_airflow_sends_to_a_statsd_server() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        section = metrics_section({VARIABLE: f"statsd://127.0.0.1:{server.getsockname()[1]}"})
        variables = {f"AIRFLOW__METRICS__{name.upper()}": value for name, value in section.items()}
        script = "from airflow.sdk.observability.stats import Stats; Stats.incr('jouleboard.test')"
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **variables}, check=True, timeout=60
        )
        while server.recv(200) != b"airflow.jouleboard.test:1|c":  # others come before
            pass
