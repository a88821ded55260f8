"""Numbers that describe a network, one kind to a file.

Import from the files: some need torch and some numba, and nobody should wait for the one that they do not use.
"""
