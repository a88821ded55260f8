"""A run's folder: the log (the one source of truth), weights, and how both are read and resumed."""
