"""The photos of a product as one."""
