"""This machine: its GPUs, their locks, what it is made of, and what it can measure."""
