"""From files and a wish to a run file that runs."""

from .writing import init

__all__ = ["init"]
