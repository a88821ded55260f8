"""One file per benchmark; each has `figures()`."""
