"""`python -m gedi` is the command line `gedi`."""

import sys

from gedi.cli import main

sys.exit(main())
