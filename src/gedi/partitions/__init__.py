"""Partitions of a table into clusters: many by different ideas, and a choice without labels."""

from gedi.partitions.best import best_partition

__all__ = ["best_partition"]
