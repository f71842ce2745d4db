"""Measures of a model's clusters, density, samples and outlier scores, and its symptoms."""
