"""`python -m matrix.cli`."""

import sys

from matrix import cli

sys.exit(cli.main())
