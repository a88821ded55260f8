"""What a command does: from a run file to a finished run, and what is done with many of them."""
