"""Foreign file formats, read row by row and written back: BSON, CSV, JSON, Parquet."""
