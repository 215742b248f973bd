"""Breaks an installation of its own on purpose, and counts what became of every event."""
