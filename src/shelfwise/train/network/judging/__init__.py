"""Products that a network does not learn from, and what it says of them."""
