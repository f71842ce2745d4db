"""Partitions of a table into clusters by many methods, and a choice among them without labels."""

from gedi.partitions.best import best_partition

__all__ = ["best_partition"]
