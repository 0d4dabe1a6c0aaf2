"""Painters of the drawn product photos, one module per top shelf."""
