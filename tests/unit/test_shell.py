"""Every shell line of the tree means what it says: see `tests/shells.py`."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from tests import shells

ROOT = pathlib.Path(__file__).parents[2]
THESE = ('tests/unit/test_shell.py', 'tests/shells.py')
STRICT = '#!/usr/bin/env bash\nset -euo pipefail\n'


def test_no_shell_line_takes_another_programs_answer():
    ours = (text for text in shells.texts(ROOT) if text.where not in THESE)
    found = [said for text in ours for said in shells.wrong(text)]
    assert not found


def test_all_kinds_of_places_are_looked_at():
    names = {text.where for text in shells.texts(ROOT)}
    assert {'tools/bootstrap', 'tests/bench/floor.sh', 'Makefile', '.ci/run'} <= names
    assert {
        'matrix/src/matrix/faults/scripts/common.sh',
        'matrix/src/matrix/faults/clock.py',
    } <= names


@pytest.mark.parametrize(
    'line',
    [
        'apt-cache policy "$1" | grep -q "Candidate: [^(]"',
        'apt-cache policy x | LC_ALL=C grep -iq y && go',
        'podman ps | grep --quiet x',
        'ls | head -n 1',
        'ls |\n  head -1 | cut -c1',
        "ls | sed '3q'",
        "ls | sed -n '/x/{p;q}'",
        "ls | awk '{print $1; exit}'",
        'ip route | read -r first',
        'ls | grep -m 1 x',
        'rm -f "$x" || true',
        'apt-get update >/dev/null 2>&1 || :',
        'made=$(podman image inspect x 2>/dev/null || true)',
    ],
)
def test_a_line_that_does_is_found(line: str):
    assert [*shells.wrong(shells.Text('x', 1, STRICT + line + '\n', script=True))]


@pytest.mark.parametrize(
    'line',
    [
        'said=$(apt-cache policy "$1")\n[[ $said =~ x ]]',
        'grep -q x /proc/filesystems || echo none',
        'ls | grep x | sort | tail -n 1',
        'n=$(printf x | grep -c . || true)',
        'systemctl is-active x || true',
        "# apt-cache policy x | grep -q y\nls | sed 's/q/x/'",
        'test -e a || head -n 1 b',
    ],
)
def test_one_that_does_not_is_not(line: str):
    assert not [*shells.wrong(shells.Text('x', 1, STRICT + line + '\n', script=True))]


def test_a_script_that_goes_on_after_errors_is_found():
    loose = '#!/bin/sh\nrm "$x"\nls\n'
    assert [*shells.wrong(shells.Text('x', 1, loose, script=True))]
    assert not [
        *shells.wrong(shells.Text('x', 1, '#!/bin/sh\nexec python3 charm.py\n', script=True))
    ]


def test_a_reader_that_closes_early_makes_a_wrong_answer():
    """Why: the same question, asked both ways."""
    said = 'for i in {1..20000}; do echo "line $i" || exit; done'
    piped = f'set -o pipefail; if bash -c \'{said}\' 2>/dev/null | grep -q "line 1$"; then echo yes; else echo no; fi'
    whole = f'set -o pipefail; x=$(bash -c \'{said}\'); if [[ $x =~ "line 1" ]]; then echo yes; else echo no; fi'
    answers = [
        subprocess.run(
            ['bash', '-c', text], capture_output=True, text=True, check=True
        ).stdout.strip()
        for text in (piped, whole)
    ]
    assert answers == ['no', 'yes']


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('x.py', "ask = 'juju status | head -n 1'\nrun(f'set -euo pipefail; {ask}')\n"),
        ('x.py', "run(['bash', '-o', 'pipefail', '-c', 'juju status | grep -q x'])\n"),
        ('x.md', '```sh\njuju status | head -n 1\n```\n'),
        ('Makefile', '.SHELLFLAGS := -eo pipefail -c\nx:\n\tls | head -n 1\n'),
        ('ci.yaml', 'script:\n  - set -o pipefail\n  - ls | grep -q x\n'),
        ('x.sh', "set -euo pipefail\ncat > y <<'EOF'\nls | grep -q x\nEOF\n"),
    ],
    ids=lambda text: text.partition('\n')[0],
)
def test_pipefail_that_is_set_elsewhere_counts(name: str, text: str):
    assert [said for piece in shells.pieces(name, text) for said in shells.wrong(piece)]
