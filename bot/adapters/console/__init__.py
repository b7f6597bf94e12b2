"""The console: a browser chat on this machine, where one can be any person of the organisation."""
