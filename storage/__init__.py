"""Remembers: tables, the questions asked of them, and one transaction per command."""
