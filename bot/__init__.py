"""Talks: platforms, wiring, time."""
