"""Makes the charm's own modules importable."""

from __future__ import annotations

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
for folder in (HERE.parent / 'src', HERE / 'rig'):
    sys.path.insert(0, str(folder))
