"""Logs of predictions: JSON lines where they happen, Parquet by day in the object store."""
