"""The run folder: the files of a training, its checkpoints, predictions and diagnosis."""

from gedi.runs.folder import Run, check_target, feature_cache, is_taken

__all__ = ["Run", "check_target", "feature_cache", "is_taken"]
