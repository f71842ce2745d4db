"""Data: where they come from, how they are read, and how batches are taken from them."""
