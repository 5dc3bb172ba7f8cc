"""The trial of a WSGI application, as the program that it is on a unit."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import charmkit
import pytest

PROGRAM = pathlib.Path(charmkit.__file__).with_name('trial_wsgi.py')
WELL = """
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'{}']
"""
# As oslo.config reads a service's command line: an argument that it does not know ends the program with 2.
READS_ARGUMENTS = (
    """
import argparse
argparse.ArgumentParser().parse_args()
"""
    + WELL
)


def trial(
    tmp_path: pathlib.Path, script: str, home: pathlib.Path | None = None
) -> tuple[int, str]:
    path = tmp_path / 'wsgi'
    path.write_text(script)
    argv = [sys.executable, str(PROGRAM), str(path), '/', str(home or tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize('script', [WELL, READS_ARGUMENTS], ids=['plain', 'reads its arguments'])
def test_what_serves_passes(tmp_path: pathlib.Path, script: str):
    assert trial(tmp_path, script) == (0, '')


@pytest.mark.parametrize(
    ('script', 'said'),
    [
        ('raise ValueError("no such option")', 'ValueError: no such option'),
        (WELL.replace('200 OK', '404 Not Found'), 'answers 404 Not Found'),
        ('import sys; sys.exit(2)', 'SystemExit: 2'),
    ],
)
def test_what_does_not_says_why(tmp_path: pathlib.Path, script: str, said: str):
    assert trial(tmp_path, script) == (1, said)


def test_it_is_loaded_where_apache_would(tmp_path: pathlib.Path):
    where = f'import os; assert os.getcwd() == {str(tmp_path)!r}\n{WELL}'
    assert trial(tmp_path, where) == (0, '')
    status, said = trial(tmp_path, WELL, tmp_path / 'absent')
    assert (status, said) == (
        1, f"FileNotFoundError: [Errno 2] No such file or directory: '{tmp_path / 'absent'}'"
    )  # fmt: skip


READS_OPTIONS = (
    """
from oslo_config import cfg
conf = cfg.ConfigOpts()
conf.register_opts([cfg.IntOpt('many'), cfg.ListOpt('ports', bounds=True)], group='api')
other = cfg.ConfigOpts()  # Not read yet.
conf([], default_config_files=['{path}'])
"""
    + WELL
)


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        ('many = 3\nports = [1,2]', ''),
        ('many = banana', 'option many'),
        ('ports = 1,2', 'option ports'),
    ],
)
def test_a_value_that_would_be_looked_at_in_a_request_only_is_found(
    tmp_path: pathlib.Path, value: str, said: str
):
    (tmp_path / 'api.conf').write_text(f'[api]\n{value}\n')
    status, words = trial(tmp_path, READS_OPTIONS.replace('{path}', str(tmp_path / 'api.conf')))
    assert (status, said in words) == (1 if said else 0, True)
    assert words.startswith('ConfigFileValueError') is bool(said)
