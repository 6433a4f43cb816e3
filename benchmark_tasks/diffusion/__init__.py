"""Measures a process that generates images or videos in batches."""
