"""Remembers: tables, transactions and migrations."""
