"""Scenarios with a real haproxy, run inside a machine of its own; each prints one line of JSON.

usage: scenario.py NAME [JSON of arguments]
"""

from __future__ import annotations

import json
import sys
from typing import Any

import bad_times
import dns_server
import lossless
import outside
import public_edge
import slow_transfers
import speed
import starving


def main() -> None:
    name = sys.argv[1]
    arguments: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    modules: list[Any] = [
        lossless,
        outside,
        speed,
        bad_times,
        starving,
        public_edge,
        slow_transfers,
        dns_server,
    ]
    if name in ('secured', 'offered', 'odd_certificates'):
        import secured  # It alone needs cryptography.

        modules = [secured]
    found = next(getattr(m, name) for m in modules if hasattr(m, name))
    print(json.dumps(found(**arguments)))


if __name__ == '__main__':
    main()
