"""Does the command do it? Outcomes on a real database."""
