"""The demo of the main job: `make demo`."""

from __future__ import annotations

__all__ = ["following", "leaderboard", "main_job", "real_weights"]
