"""Renew an application's processes on the machine that this runs on: `recycle_on_machine.py INPUTS.json`."""

from __future__ import annotations

import json
import pathlib
import sys

from charmkit import apache, processes

given = json.loads(pathlib.Path(sys.argv[1]).read_text())
processes.PROVEN_S = 4.0
said = processes.recycle(apache.group(given['name']), apache.probe(given['port']))
print(json.dumps({'said': said}))
