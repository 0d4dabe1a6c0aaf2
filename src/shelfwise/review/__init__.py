"""Go through suspected wrong shelves, one by one, in a page that the keyboard drives."""
