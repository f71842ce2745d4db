"""Methods: from a batch to the terms of a loss."""

from gedi.methods.gedi import gedi_terms

__all__ = ["gedi_terms"]
