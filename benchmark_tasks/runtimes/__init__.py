"""Starts what is measured: environments, containers, endpoints, processes and their guardian."""
