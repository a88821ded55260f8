"""The search loop and its parts."""
