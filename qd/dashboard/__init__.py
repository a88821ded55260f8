"""`qd serve`: the runs of a folder as a web page that looks and never touches."""

from .server import Server

__all__ = ["Server"]
