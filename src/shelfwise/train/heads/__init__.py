"""Heads, each with what it says of rows that it did not learn from."""
