"""What answers for products: pools of photos, heads in a hierarchy, ensembles, calibration. Needs numpy alone."""
