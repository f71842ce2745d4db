"""How good a model is: its clusters, density, samples and outlier scores, and what is wrong."""
