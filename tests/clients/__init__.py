"""Clients written for this API by others, as they call it: nothing here imports HookLine."""
