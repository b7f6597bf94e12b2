"""Incidents: something is broken, the right person is woken, the next word comes on time, and service comes back."""
