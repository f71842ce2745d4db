"""Trainings: how they are planned, built, run and monitored; start with `gedi.training.session`."""
