"""``make up``: deploy a bundle on this machine, and prove that it works. Takes up where it was left."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import cloud as cloud_
import jubilant
import proofs
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
JUJULET = pathlib.Path(sys.executable).with_name('jujulet')
PATIENCE_S = 1800


def main(argv: list[str]) -> int:
    """Deploy the bundle that is the first argument. Exit code 0: proven; 1: not, why was said; 2: no bundle."""
    parser = argparse.ArgumentParser(prog='make up', description=__doc__, add_help=False)
    parser.add_argument('bundle', nargs='?', type=pathlib.Path, default='bundles/dmz.yaml')
    parser.add_argument('--base', default='', help="debian@12 or debian@13; else this host's")
    parser.add_argument(
        '--tls', choices=('yes', 'no'), default='yes', help='where there is an overlay for it'
    )
    asked = parser.parse_args(argv[1:])
    bundle: pathlib.Path = asked.bundle
    if not bundle.is_file():
        print(
            f'ERROR there is no bundle {bundle}: give one with `make up BUNDLE=…`', file=sys.stderr
        )
        return 2
    began = time.monotonic()
    model = bundle.stem
    try:
        _check_host()
        _model(model, asked.base)
        _spaces(model, bundle)
        _try_again(model)
        cloud_.warm()
        tls = overlay(bundle) if asked.tls == 'yes' else None
        if (
            asked.tls == 'no'
            and overlay(bundle)
            and has_authority(_yaml('status', '--model', model))
        ):
            raise RuntimeError('what was made before has TLS: `make down` first, or TLS=yes')
        what = f'{bundle}{" with TLS" if tls else ""} (model {model})'
        say(f'deploying {what}; watch it elsewhere: {JUJULET} status --watch 2s')
        overlays = ('--overlay', f'./{os.path.relpath(tls)}') if tls else ()
        _juju('deploy', '--model', model, f'./{os.path.relpath(bundle)}', *overlays, '--wait')
        deployed = time.monotonic() - began
        juju = jubilant.Juju(model=model, cli_binary=str(JUJULET))
        say(f'all units are active, {deployed:.0f} s from the start; now the proof')
        found = cloud_.find(juju)
        _prove(juju, found)
    except (subprocess.CalledProcessError, jubilant.CLIError):
        return _failed(model, 'a command failed; it said why above')
    except (proofs.Unproven, jubilant.TaskError, RuntimeError, OSError, TimeoutError) as error:
        return _failed(model, str(error))
    except KeyboardInterrupt:
        print(
            '\nStopped looking. What was begun goes on by itself: `make up` again takes up where it is, '
            '`make down` removes it.',
            file=sys.stderr,
        )
        return 130
    _farewell(found, {name: len(app.units) for name, app in juju.status().apps.items()})
    return 0


def overlay(bundle: pathlib.Path) -> pathlib.Path | None:
    """What gives *bundle* TLS, from an authority of its own; None where there is nothing."""
    path = bundle.parent / 'overlays' / f'{bundle.stem}-tls.yaml'
    return path if path.is_file() else None


def has_authority(status: Mapping[str, Any]) -> bool:
    """Whether a model, by its *status*, was given TLS by an overlay of ours."""
    return 'ca' in (status.get('applications') or {})


def _prove(juju: jubilant.Juju, found: cloud_.Cloud) -> None:
    first, *others = proofs.steps(juju, found)
    _show(first)  # Where this fails, nothing else is worth being begun.
    with concurrent.futures.ThreadPoolExecutor() as aside:
        try:
            for step in proofs.begun(others, aside):
                _show(step)
        except BaseException:
            print('\nPutting back what the proof has taken away …', file=sys.stderr, flush=True)
            with contextlib.suppress(
                RuntimeError, jubilant.CLIError
            ):  # The next run does it, too.
                proofs.put_back(juju, found)
            raise


def _show(step: proofs.Step) -> None:
    if sys.stdout.isatty():
        print(f'    … {step.what}', end='\r', flush=True)
    said = step.prove()
    print(f'    {"-" if step.left_out else "✓"} {step.what}: {said}', flush=True)


def say(text: str) -> None:
    """A line that stands out."""
    print(f'\033[1m==>\033[0m {text}' if sys.stdout.isatty() else f'==> {text}', flush=True)


def _juju(*args: str) -> str:
    done = subprocess.run([str(JUJULET), *args], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def _yaml(*args: str) -> Any:
    return yaml.safe_load(_juju(*args, '--format', 'yaml'))


def _check_host() -> None:
    """Say what is wrong with this machine. RuntimeError where that is enough to stop."""
    argv = [str(JUJULET), 'doctor', '--format', 'yaml']
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    try:
        findings: list[dict[str, Any]] = yaml.safe_load(done.stdout) or []
    except yaml.YAMLError:
        findings = []
    for found in findings:
        if found['level'] != 'ok' and not found['name'].startswith('base '):
            cure = f' (try: {found["cure"]})' if found.get('cure') else ''
            print(f'    {found["name"]}: {found["says"]}{cure}', file=sys.stderr)
    if done.returncode:
        print(done.stderr, end='', file=sys.stderr)
        raise RuntimeError('this machine cannot run system containers as it is')


def _model(model: str, base: str) -> None:
    models: list[dict[str, Any]] = _yaml('models')['models']
    if model not in {m['short-name'] for m in models}:
        config = ('--config', f'default-base={base}') if base else ()
        _juju('add-model', '--no-switch', model, *config)
    elif base and base != (there := _juju('model-config', '-m', model, 'default-base').strip()):
        raise RuntimeError(
            f'what was made before is on {there}: `make down` first, or BASE={there}'
        )
    _juju('switch', model)


def _spaces(model: str, bundle: pathlib.Path) -> None:
    """Make the spaces that the bundle names and the model lacks."""
    subnets: dict[str, str] = yaml.safe_load((ROOT / 'bundles/spaces.yaml').read_text())
    applications: dict[str, Any] = yaml.safe_load(bundle.read_text())['applications']
    bindings: list[dict[str, str]] = [a.get('bindings') or {} for a in applications.values()]
    wanted = {space for binding in bindings for space in binding.values()}
    for application in applications.values():
        for word in str(application.get('constraints') or '').split():
            if word.startswith('spaces='):
                wanted |= {s for s in word.removeprefix('spaces=').split(',') if s[:1] != '^'}
    spaces: list[dict[str, Any]] = _yaml('spaces', '--model', model)['spaces']
    there = {str(space['name']): [*map(str, space['subnets'])] for space in spaces}
    if other := changed(there, {n: c for n, c in subnets.items() if n in wanted}):
        raise RuntimeError(
            f'{other[0]}, as bundles/spaces.yaml now says: `make down` first, which removes the networks, '
            'or have bundles/spaces.yaml as it was'
        )
    for name in sorted(wanted - set(there)):
        subnet = [subnets[name]] if name in subnets else []
        _juju('add-space', '--model', model, name, *subnet)


def changed(there: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> list[str]:
    """A sentence for each space that is *there* (with its subnets) without the subnet that is *wanted* of it."""
    return [
        f'the space {name} has {" and ".join(there[name]) or "no subnet"}, not {cidr}'
        for name, cidr in sorted(wanted.items())
        if name in there and cidr not in there[name]
    ]


def _try_again(model: str) -> None:
    """Machines that an earlier run could not make: what stood in the way may have been put right."""
    machines: dict[str, Any] = _yaml('status', '--model', model).get('machines') or {}
    failed = [
        i for i, m in machines.items() if m['machine-status']['current'] == 'provisioning error'
    ]
    if failed:
        _juju('retry-provisioning', '--model', model, *failed)


def _failed(model: str, why: str) -> int:
    print(f'\nERROR {why}', file=sys.stderr)
    print(
        f'Look: {JUJULET} status --model {model}    {JUJULET} debug-log --model {model}\n'
        'Then run the same command again: it takes up where it was.',
        file=sys.stderr,
    )
    return 1


def suggestions(units: Mapping[str, int]) -> dict[str, str]:
    """Commands to try next and what they do, of a model with so many *units* of each application."""
    balancer = 'lb-public' if 'lb-public' in units else 'lb'
    more = units['placement'] + 1
    seen = {f'juju run {balancer}/leader list-backends': 'the units that get requests, by service'}
    if units['keystone'] > 1:  # Where it is alone, a drain is refused.
        seen = {
            'juju run keystone/0 pause': 'drained first: clients notice nothing; `resume` ends it'
        }
    return {
        **seen,
        'juju add-unit placement': f'unit number {more} of it, from the cache in seconds',
    }


def _farewell(found: cloud_.Cloud, units: Mapping[str, int]) -> None:
    path, ca = ROOT / 'clouds.yaml', ROOT / 'ca.pem'
    ca.unlink(missing_ok=True)
    if found.ca:
        ca.write_text(found.ca)  # clouds.yaml names it.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as file:
        file.write(cloud_.clouds_yaml(found, str(ca)))
    width = shutil.get_terminal_size().columns
    print('\n' + '─' * min(width, 80))
    for service, urls in sorted(found.urls.items()):
        for kind, url in urls.items():
            print(f'{service:10} {kind:9} {url}')
    here = os.path.relpath(JUJULET)
    tries = '\n'.join(f'  {command:43} {why}' for command, why in suggestions(units).items())
    shell = ' (in a shell of root: sudo -s)' if os.environ.get('SUDO_USER') else ''
    print(f"""
Credentials: clouds.yaml (cloud "rambla", user "admin"), as for
  OS_CLOUD=rambla {os.path.relpath(JUJULET.with_name('openstack'))} endpoint list

Three things to try{shell}:
  eval "$({here} env)"; juju status           the same `juju` that you know
{tries}

`make down` removes it all; `make up` brings it back.""")


if __name__ == '__main__':
    sys.exit(main(sys.argv))
