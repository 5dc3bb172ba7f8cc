"""What the proof of a bundle asks of other machines, as a shell of theirs reads it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

# As `make up` runs them: from their own folder.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / 'tools'))
from tools import proofs

pytestmark = pytest.mark.timeout(60)

URLS = [
    'http://10.0.0.1:5000/v3',
    'http://10.0.0.2:8776/v3/%(tenant_id)s',
    'http://10.0.0.3:8774/v2.1/$(project_id)s',
    'http://[fd00::1]:9696/',
    "http://10.0.0.4/a'b;touch there&$(touch there)",
    'http://10.0.0.5/{one,two}/[1-2]',
]
CURL = """#!/bin/sh
for last; do :; done
printf '%s' "$last" | tr ' \\n' '__'
"""


def test_urls_of_the_catalogue_reach_curl_as_they_are_whatever_is_in_them(tmp_path: pathlib.Path):
    curl = tmp_path / 'curl'
    curl.write_text(CURL)  # It answers with what it was asked for.
    curl.chmod(0o755)
    done = subprocess.run(
        ['/bin/bash', '-c', proofs.asking(URLS)], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, 'PATH': f'{tmp_path}:/usr/bin:/bin'}, check=True, timeout=30,
    )  # fmt: skip
    asked = dict(line.split(' ', 1) for line in done.stdout.splitlines())
    assert asked == {
        '0': 'http://10.0.0.1:5000/v3',
        '1': 'http://10.0.0.2:8776/v3/',
        '2': 'http://10.0.0.3:8774/v2.1/',
        '3': 'http://[fd00::1]:9696/',
        '4': "http://10.0.0.4/a'b;touch_there&",
        '5': 'http://10.0.0.5/{one,two}/[1-2]',
    }
    assert sorted(f.name for f in tmp_path.iterdir()) == ['curl']
    assert '--globoff' in proofs.asking(URLS)
