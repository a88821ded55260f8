"""Evaluation on a Ray cluster that may break."""
