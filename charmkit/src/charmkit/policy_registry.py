"""Say which names of rules no service on this machine has: a JSON list of names in, an object of them out.

Run as it is, by the machine's own Python: services register their rules with oslo.policy by its entry points
``oslo.policy.policies`` (its documentation, "Sample file generation"). The value of a name is the nearest name that
there is, or ''. Ends with 1 when the rules cannot be listed.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from typing import Any

GROUP = 'oslo.policy.policies'


def registered(entry_points: Iterable[Any]) -> set[str]:
    """The names of all rules, with those that they had before."""
    found: set[str] = set()
    for entry_point in entry_points:
        for rule in entry_point.load()():
            found.add(rule.name)
            if before := getattr(rule, 'deprecated_rule', None):
                found.add(before.name)
    return found


def unknown(names: Iterable[str], rules: set[str]) -> dict[str, str]:
    """Those of *names* that are none of *rules*, each with the nearest one.

    Services also have rules for parts of what a rule is for, which are registered nowhere: neutron's
    ``create_port:mac_address``, say.
    """
    return {
        name: next(iter(difflib.get_close_matches(name, sorted(rules), 1)), '')
        for name in names
        if name not in rules and name.partition(':')[0] not in rules
    }


if __name__ == '__main__':
    rules = registered(importlib.metadata.entry_points(group=GROUP))
    if not rules:
        sys.exit(1)
    print(json.dumps(unknown(json.load(sys.stdin), rules)))
