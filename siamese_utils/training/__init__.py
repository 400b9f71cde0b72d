"""Load or train a run, and everything that it leaves on disk."""
