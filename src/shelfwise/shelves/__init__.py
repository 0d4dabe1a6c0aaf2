"""How sure the shelves are of their products: left-out answers for all of a catalog, doubts ranked, corrections taken in."""
