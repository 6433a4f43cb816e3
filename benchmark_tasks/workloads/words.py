"""Words that are one token each. Imports nothing: a runtime's own environment reads it, too."""

WORD = " the"
"""One token for the tokenizers of the catalog's models: stands for a token that an answer has written."""

WORDS = (WORD, " of", " and", " to", " in", " is", " on", " for")
"""One token each for the tokenizers of the catalog's models, and for the one made for dummy weights."""
