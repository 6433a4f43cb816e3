"""Start, stop and join the platform."""
