"""Tables, one file per capability."""
