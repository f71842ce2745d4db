"""How good a model is: its clusters, its density, and its scores of outliers."""
