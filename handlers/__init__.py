"""Decides: what the desk can do, with no platform in it."""
