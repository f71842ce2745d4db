"""Features of texts and photographs: pretrained networks that turn raw things into vectors.

They are transformers in the sense of scikit-learn, and the command line uses the same ones.
"""

from gedi.features.images import ImageFeatures
from gedi.features.networks import feature_network
from gedi.features.text import TextFeatures

__all__ = ["ImageFeatures", "TextFeatures", "feature_network"]
