"""The load generator: sends requests, stamps every piece of an answer, and says what it needed itself."""
