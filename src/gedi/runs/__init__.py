"""The run folder: what a training was made from, what it left, and what is found in it."""

from gedi.runs.folder import Run

__all__ = ["Run"]
