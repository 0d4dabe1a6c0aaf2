"""Heads put together along the tree."""
