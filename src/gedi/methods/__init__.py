"""Methods: from a batch to the terms of a loss."""

from collections.abc import Callable

from gedi.methods.barlow_twins import barlow_twins_loss
from gedi.methods.gedi import gedi_terms
from gedi.methods.rivals import barlow_twins_terms, swav_terms
from gedi.methods.swav import sinkhorn_codes, swav_loss
from gedi.objective import Terms

Method = Callable[..., Terms]

__all__ = [
    "Method",
    "barlow_twins_loss",
    "barlow_twins_terms",
    "gedi_terms",
    "sinkhorn_codes",
    "swav_loss",
    "swav_terms",
]
