"""Looks into wheels and sdists, within bounds, without unpacking them to disk."""
