"""What predicts metrics before an evaluation, and what an archive is expected to gain."""
