"""Methods: from a batch to the terms of a loss."""

from gedi.methods.barlow_twins import barlow_twins_loss
from gedi.methods.gedi import gedi_terms
from gedi.methods.swav import sinkhorn_codes, swav_loss

__all__ = ["barlow_twins_loss", "gedi_terms", "sinkhorn_codes", "swav_loss"]
