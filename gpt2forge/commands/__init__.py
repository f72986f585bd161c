"""One file a command: a plain function with everything it needs as parameters."""
