"""Pictures of runs: each kind of `qd plot` in a file of its own, named like it."""
