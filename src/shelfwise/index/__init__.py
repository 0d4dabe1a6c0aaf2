"""Neighbors: hashes close to one another, and pictures that look alike."""
