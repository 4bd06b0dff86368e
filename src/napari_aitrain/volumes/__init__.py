"""Open, check, normalise and write volumes."""
