"""The load generator: sends requests, records when each piece of an answer arrives, and its own cost."""
