"""``python -m jujulet.controller FOLDER``: the daemon."""

import sys

from .service import main

sys.exit(main())
