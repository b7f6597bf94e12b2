"""Programs that are handed out alone: they import nothing of ours."""
