"""Language and multimodal models: a server under requests."""
