"""Words that are one token each. Imports nothing: a runtime's own environment reads it, too."""

WORD = " the"
"""One token for the tokenizers of the catalog's models: represents a token that an answer has already."""

WORDS = (WORD, " of", " and", " to", " in", " is", " on", " for")
"""One token each for the tokenizers of the catalog's models and of dummy weights."""
