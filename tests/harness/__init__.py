"""What the tests stand on: databases, browsers, stand-ins for the platforms."""
