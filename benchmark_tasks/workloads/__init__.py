"""Requests to a model: prompts, lengths, pictures and clips, in a fixed order."""
