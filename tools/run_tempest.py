"""``make tempest``: OpenStack's own test suite against a deployed bundle, unmodified, from an environment of its own.

Its configuration is made from what the deployment says of itself, through the public endpoints. What it must not fail
is tests/tempest/known.yaml. Source: Tempest's configuration guide (docs.openstack.org/tempest).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import cloud as cloud_
import jubilant
import machines
import servers
import tempest_conf
import tempest_leftovers
import tempest_results as results
import tempest_servers
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / '.venv-tempest'
KNOWN = ROOT / 'tests/tempest/known.yaml'
SUITES = r'^tempest\.api\.(identity|image)\.'
WORKERS = 2


def offered(cloud: cloud_.Cloud) -> tempest_conf.Images:
    """Ask glance what it offers. RuntimeError if it does not say."""
    with cloud_.plainly('what glance offers'):
        image = cloud_.connect(cloud).image
        new = image.post(
            '/images', json={'disk_format': 'qcow2', 'container_format': 'bare'}
        ).json()
        put = image.put(
            f'/images/{new["id"]}/file',
            data=b'This is no qcow2.',
            headers={'Content-Type': 'application/octet-stream'},
        )
        image.delete_image(new['id'])
        return tempest_conf.offered(
            image.get('/info/import').json(),
            image.get('/info/stores').json(),
            image.get('/schemas/image').json(),
            new,
            cache=image.get('/cache').status_code == 200,
            format_enforced=put.status_code != 204,
        )


def compliance(juju: jubilant.Juju) -> Mapping[str, Any]:
    """The rules for passwords that keystone has been given."""
    return (
        yaml.safe_load(str(juju.config('keystone').get('password-security-compliance', ''))) or {}
    )


def environment() -> pathlib.Path:
    """The folder of Tempest's programs; they are installed there unless they are, as constraints.txt pins them."""
    made_from = ENVIRONMENT / '.made-from'
    wanted = hashlib.sha256(
        (ROOT / 'constraints.txt').read_bytes() + (ROOT / 'pyproject.toml').read_bytes()
    ).hexdigest()
    if not made_from.exists() or made_from.read_text() != wanted:
        print('==> making .venv-tempest: Tempest and what it needs', flush=True)
        uv = pathlib.Path(sys.executable).with_name('uv')
        run = [uv, 'venv', '--quiet', '--clear', '--python', sys.executable, ENVIRONMENT]
        subprocess.run(run, check=True)
        run = [uv, 'pip', 'install', '--quiet', '--python', ENVIRONMENT, '-c', 'constraints.txt']
        subprocess.run([*run, '--group', 'tempest'], check=True, cwd=ROOT)
        made_from.write_text(wanted)
    return ENVIRONMENT / 'bin'


def run(
    cloud: cloud_.Cloud,
    base: str,
    folder: pathlib.Path,
    *,
    image_url: str,
    compliance: Mapping[str, Any],
    suites: str = SUITES,
    there: tempest_servers.Servers | None = None,
) -> results.Verdict:
    """Run the *suites* (a regular expression) against *cloud*, whose units are on *base*, and its servers if *there*.

    *image_url* is where glance can download a small qcow2 image, *compliance* keystone's section security_compliance.

    What they said is kept in *folder*: tempest.conf, tempest.log, results.subunit, junit.xml, verdict.txt. It holds
    the administrator's password, so that only its owner may look into it.
    """
    programs = environment()
    images = offered(cloud)
    features = tempest_conf.features(images, compliance) | tempest_servers.features(there)
    here = [one for one in results.known(KNOWN.read_text()) if one.holds(base, features)]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    conf = folder / 'tempest.conf'
    conf.touch(mode=0o600)
    conf.chmod(0o600)
    conf.write_text(
        tempest_conf.configuration(
            cloud_.login(cloud),
            images,
            compliance,
            folder,
            image_url,
            tempest_servers.sections(there),
        )
    )
    path = f'{programs}{os.pathsep}{os.environ["PATH"]}'

    def tempest(*argv: str, check: bool = True, stdin: bytes | None = None) -> bytes:
        environ = {**os.environ, 'PATH': path, 'PYTHON': str(programs / 'python')}
        out = subprocess.run(
            argv, check=check, cwd=folder, env=environ, input=stdin, stdout=subprocess.PIPE
        )
        return out.stdout

    prefix = ('--prefix', tempest_leftovers.PREFIX)
    tempest('tempest', 'cleanup', '--config-file', str(conf), *prefix, check=False)
    chosen = ('tempest', 'run', '--config-file', str(conf), '--regex', suites)
    tempest('stestr', 'init', check=False)  # It was, if this is not the first run.
    listed = [results.plain(line) for line in _names(tempest(*chosen, '--list-tests'))]
    is_complete = suites in (SUITES, tempest_servers.SUITES)
    here = results.that_matter(here, suites if is_complete else '', listed)
    stream = tempest(*chosen, '--concurrency', str(WORKERS), '--subunit', check=False)
    (folder / 'results.subunit').write_bytes(stream)
    junit = tempest('subunit2junitxml', check=False, stdin=stream).decode()
    (folder / 'junit.xml').write_text(junit)
    verdict = results.judge(listed, results.outcomes(junit), here)
    (folder / 'verdict.txt').write_text(f'{verdict}\n')
    return verdict


def _names(said: bytes) -> Iterable[str]:
    return [line for line in said.decode().splitlines() if line.startswith('tempest.')]


def main(argv: list[str]) -> int:
    """Run Tempest against the bundle in a model. Exit code 0: as known; 1: not, and what was said."""
    parser = argparse.ArgumentParser(prog='tools/run_tempest.py', description=main.__doc__)
    parser.add_argument('--model', default='dmz', help='the model that it is deployed in')
    parser.add_argument(
        '--suites', help='a regular expression of tests; by itself all that the cloud has'
    )
    wish = parser.parse_args(argv)
    juju = jubilant.Juju(model=wish.model)
    try:
        cloud = cloud_.find(juju)
        base = juju.status().apps['keystone'].base
        folder = ROOT / 'build/tempest' / wish.model
        where = f'{base.name}@{base.channel.partition("/")[0]}' if base else ''
        there = (
            tempest_servers.made(juju, cloud)
            if servers.there(juju.status())
            else contextlib.nullcontext()
        )
        with there as made, machines.image_served(juju) as url:
            verdict = run(
                cloud,
                where,
                folder,
                image_url=url,
                compliance=compliance(juju),
                suites=wish.suites or (tempest_servers.SUITES if made else SUITES),
                there=made,
            )
    except (RuntimeError, ValueError, subprocess.CalledProcessError, jubilant.CLIError) as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 1
    print(f'{verdict}\nAll that was said: {os.path.relpath(folder)}')
    return 1 if verdict.faults else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
