"""The installation: settings, doors, health."""

__version__ = "3.0.0"
