"""The paper's comparisons and tasks with rules: their cells, trainings, measures and tables."""
