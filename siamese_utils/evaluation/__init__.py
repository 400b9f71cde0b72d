"""N-way K-shot episodes, and how often a model answers them correctly."""
