"""Closed-form learning: sums over rows, the head that follows from them, and what it would say of rows left out."""
