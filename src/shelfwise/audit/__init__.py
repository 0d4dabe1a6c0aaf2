"""Look through a catalog for repeats, placeholders, leaks, poor photos and wrong shelves."""
