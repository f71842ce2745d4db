"""How a training is planned, built, run and watched; `gedi.training.session` is the way through."""
