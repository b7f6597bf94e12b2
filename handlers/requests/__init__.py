"""Service requests: somebody asks for something that the catalogue offers, and gets it by when it was promised."""
