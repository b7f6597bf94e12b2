"""Questions that the handlers ask of the store."""
