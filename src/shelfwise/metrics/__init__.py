"""How good answers are: what was answered, the figures, and how sure they are."""
