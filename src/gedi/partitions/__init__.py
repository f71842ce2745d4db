"""Partitions of a table into clusters by many methods, and a choice among them without labels."""

from gedi.partitions.best import BestPartition, best_partition
from gedi.partitions.number import NumberOfClusters, number_of_clusters

__all__ = ["BestPartition", "NumberOfClusters", "best_partition", "number_of_clusters"]
