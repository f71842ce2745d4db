"""The run folder: the files of a training, its checkpoints, predictions and diagnosis."""

from gedi.runs.folder import Run, feature_cache, first_free, is_taken

__all__ = ["Run", "feature_cache", "first_free", "is_taken"]
