"""What people decide about products: plans as CSV, carried out as one change, logged, taken back. Nothing is deleted."""
