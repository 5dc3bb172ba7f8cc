"""`tools/test-images` where podman's network is this machine's own as well: podman and `ip` are stood in for."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
PODMAN = """#!/bin/bash
case "$*" in
    *'network inspect podman'*Subnet*) echo 10.88.0.0/16 ;;
    *'network inspect podman'*) echo podman0 ;;
    *'image inspect'*) echo root ;;
esac
"""
BRIDGE = '10.88.0.0/16 dev podman0 proto kernel scope link src 10.88.0.1'
OUTSIDE = '10.88.0.0/16 dev eth0 proto kernel scope link src 10.88.0.222 metric 100'


def run(folder: pathlib.Path, *routes: str) -> subprocess.CompletedProcess[str]:
    """The script, on a machine with *routes* to podman's network and both images made."""
    programs = {
        'bin/podman': PODMAN,
        'bin/ip': '#!/bin/sh\ncat "$ROUTES"\n',
        '.venv/bin/jujulet': '#!/bin/sh\necho /bases/root\n',
    }
    for name, text in programs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (folder / 'routes').write_text(''.join(f'{line}\n' for line in routes))
    (folder / 'tools').mkdir()
    script = shutil.copy(ROOT / 'tools/test-images', folder / 'tools/test-images')
    return subprocess.run(
        [script],
        env={
            **os.environ,
            'PATH': f'{folder}/bin:{os.environ["PATH"]}',
            'ROUTES': str(folder / 'routes'),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_nothing_is_said_where_the_network_is_podmans_alone(tmp_path: pathlib.Path):
    done = run(tmp_path, BRIDGE)
    assert (done.returncode, done.stderr) == (0, '')


def test_nothing_is_said_before_podman_has_made_its_bridge(tmp_path: pathlib.Path):
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, '')


def test_in_a_container_of_podman_it_says_why_the_tests_would_hang_and_what_mends_it(
    tmp_path: pathlib.Path,
):
    done = run(tmp_path, OUTSIDE, BRIDGE)
    assert done.returncode == 1
    assert '10.88.0.0/16 is also a network of this machine, on eth0' in done.stderr
    assert '/etc/containers/containers.conf' in done.stderr
