"""Results that others published: checked field by field, stored as Parquet, never mixed with our own."""
