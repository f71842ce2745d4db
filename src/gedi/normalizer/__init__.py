"""Estimates of log Z, the log-normaliser of an energy over a box, with their errors."""
