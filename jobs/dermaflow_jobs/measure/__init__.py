"""Measurements of the data plane that stand in the README, each a module with one command."""
