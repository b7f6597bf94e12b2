"""The web side: health, measurements, and the routes that adapters bring."""
