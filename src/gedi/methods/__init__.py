"""Methods, which compute the terms of a loss from a batch."""

from gedi.methods.barlow_twins import barlow_twins_loss
from gedi.methods.gedi import gedi_terms
from gedi.methods.method import Method, Term
from gedi.methods.named import BUILT_IN, method_of
from gedi.methods.rivals import barlow_twins_terms, swav_terms
from gedi.methods.swav import sinkhorn_codes, swav_loss

__all__ = [
    "BUILT_IN",
    "Method",
    "Term",
    "barlow_twins_loss",
    "barlow_twins_terms",
    "gedi_terms",
    "method_of",
    "sinkhorn_codes",
    "swav_loss",
    "swav_terms",
]
