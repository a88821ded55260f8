"""Tables: rows of a CSV, TSV or Parquet file, and a column of them that is to be told from the others."""

from .table import Table

__all__ = ["Table"]
