"""Sets of image files: folders, parquet shards as the Hugging Face hub has them, and the hub.

Images come out as bytes, of one shape:

    grey (8 bits, 1 bit)           one channel
    grey of 16 bits                one channel, divided by 257 and rounded
    colour, palette, CMYK, alpha   red, green, blue; transparent parts are white
    grey and colour in one set     red, green, blue for all

Photographs are turned as their EXIF tag says; of several frames the first is taken. Local files
are read by pyarrow and Pillow rather than by `datasets`, which would first copy them into a cache
and could not say which file or row is damaged.
"""

from gedi.data.images.cache import cache_folder
from gedi.data.images.folders import tables_among
from gedi.data.images.hub_sets import PRESETS
from gedi.data.images.reading import holds_images, pile_of, read_images
from gedi.data.images.streaming import Watch

__all__ = [
    "PRESETS",
    "Watch",
    "cache_folder",
    "holds_images",
    "pile_of",
    "read_images",
    "tables_among",
]
