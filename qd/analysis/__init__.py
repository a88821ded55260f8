"""What is computed from a log: it reads runs, and changes nothing."""
