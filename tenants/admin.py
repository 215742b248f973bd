"""Where Django looks for the console's pages of this application."""

from tenants.console import api_keys, audit, tenants

__all__ = ["api_keys", "audit", "tenants"]
