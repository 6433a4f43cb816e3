"""What is asked of a model: prompts, lengths, pictures and clips, in a fixed order."""
