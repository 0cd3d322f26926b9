"""Inband: a daemon that runs leveraged-token funds."""
