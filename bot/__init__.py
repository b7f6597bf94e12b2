"""Talks: the platforms people use, and the wiring that joins the parts."""
