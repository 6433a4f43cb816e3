"""The figure of a run has the numbers of its rows."""

from __future__ import annotations

from dataclasses import replace

from jouleboard_airflow.ui.figures import draw
from jouleboard_airflow.ui.published_rows import PublishedRow

ROW = PublishedRow("0" * 16, "0.32.0", "dummy", "Qwen <b>, no GPU", 8, "token", 1, None, 1234.5, 3.0, None)


def test_only_what_was_measured_is_drawn() -> None:
    assert draw([]) is None
    assert draw([replace(ROW, throughput_per_second=None)]) is None
    speed_only = draw([ROW, replace(ROW, batch_size=16, throughput_per_second=2000.0)])
    assert speed_only is not None
    assert "throughput, tokens per second" in speed_only
    assert "energy, J per token" not in speed_only
    assert "Qwen &lt;b&gt;" in speed_only and "<b>" not in speed_only
    both = draw([replace(ROW, energy_per_output_joules=0.5)])
    assert both is not None and "energy, J per token" in both
