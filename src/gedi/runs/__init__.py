"""The run folder: the files of a training, its checkpoints, predictions and diagnosis."""

from gedi.runs.folder import Run

__all__ = ["Run"]
