"""The ways in and out: one folder a platform, independent of each other."""
