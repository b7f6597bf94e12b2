"""Continuity: what an outage would do, the plans against it, and the drills that show whether they hold."""
