"""Evidence: what the work left behind, and proof that nobody changed it."""
