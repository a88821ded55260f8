"""Metrics of networks. A file with a `NetworkMetric` is a kind of the run file's `metrics`; the others help them.

Import from the files: some need torch and some numba, and nobody should wait for the one that they do not use.
"""
