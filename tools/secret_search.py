"""``python -m tools.secret_search --model M``: no secret of a model lies where it can be read by others.

Known secrets are those of Juju (their owners' contents) and what services keep in files that not everybody may read:
passwords, keys of tokens, private keys. They must not be in files that every user of a machine can read, in logs or
the journal of any machine, in arguments of processes, in statuses, or in Juju's log; nor in relation data, but for the
keys in which the interfaces of Charmed OpenStack hand out passwords (:data:`BY_INTERFACE`). A secret itself is never
shown: a finding says its kind, by where it was found, and where it lies.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import jubilant

from . import secret_search_machine

WATCHED = '/run/secret-search'
"""On each machine, for root alone: arguments of processes that were seen; removed by the search."""
PUBLIC = frozenset({'username', 'user', 'host', 'port', 'database', 'certificate', 'ca', 'chain'})
"""Keys of Juju secrets whose values are none."""
BY_INTERFACE = re.compile(r'(?:\w+_)?password|shared-metadata-secret')
"""Keys of relation data that are secrets: passwords of accounts at the database, the queue and keystone, and what nova
and neutron's agents sign requests for metadata with."""
_PROGRAM = pathlib.Path(secret_search_machine.__file__).read_text()
_RUN = (
    "import json,sys; given=json.load(sys.stdin); names={'__name__': 'given'}; "
    "exec(given['program'], names); names['main'](given)"
)


def on_machine(juju: jubilant.Juju, unit: str, **given: Any) -> Any:
    """What :mod:`tools.secret_search_machine` says there. It reads *given* from standard input, not as arguments."""
    model = ['--model', juju.model] if juju.model else []
    done = subprocess.run(
        ['juju', 'ssh', '--pty=false', *model, unit, f'sudo python3 -c "{_RUN}"'],
        check=True,
        input=json.dumps({'program': _PROGRAM, 'watched': WATCHED, **given}),
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def of_juju(juju: jubilant.Juju) -> dict[str, str]:
    """The values of the model's secrets, each with its secret's label or owner."""
    found: dict[str, str] = {}
    for secret in juju.secrets():
        shown = juju.show_secret(secret.uri, reveal=True)
        for key, value in shown.content.items():
            if key in PUBLIC or len(value) < secret_search_machine.SHORTEST:
                continue
            pem = secret_search_machine.secrets_in(value.encode())
            what = f'{key} of the secret {shown.label or shown.uri} of {shown.owner}'
            if 'PRIVATE KEY' in value:
                found.update({p.decode(): what for p in pem})
            elif '-----BEGIN' not in value and not value.startswith(('http:', 'https:')):
                found[value] = what
    return found


def principals(status: jubilant.Status) -> list[str]:
    """One unit of each machine: of several the first by name."""
    units = {name: unit for app in status.apps.values() for name, unit in app.units.items()}
    found: dict[str, str] = {}
    for name in sorted(units):
        if machine := units[name].machine:
            found.setdefault(machine, name)
    return list(found.values())


def said_by_juju(juju: jubilant.Juju) -> Generator[tuple[str, str]]:
    """Texts that whoever may look at the model is shown: what each is, and itself."""
    status = juju.status()
    yield 'the status', juju.cli('status', '--format', 'json')
    yield "Juju's log", juju.debug_log(limit=0)
    for app in status.apps.values():
        for name in app.units:
            shown = json.loads(juju.cli('show-unit', name, '--format', 'json'))
            for key, text in texts(shown):
                if not BY_INTERFACE.fullmatch(key):
                    yield f'{key!r} of relation data that {name} sees', text


def texts(value: Any, key: str = '') -> Generator[tuple[str, str]]:
    """Each text in *value* (as JSON has it), with the key that it stands below."""
    if isinstance(value, dict):
        for name, below in cast('dict[str, Any]', value).items():
            yield from texts(below, name)
    elif isinstance(value, list):
        for below in cast('list[Any]', value):
            yield from texts(below, key)
    else:
        yield key, str(value)


def findings(known: Mapping[str, str], places: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each secret of *known* in a text of *places* (what it is, itself), without the secret."""
    return sorted(
        {
            f'{what} is in {place}'
            for place, text in places
            for value, what in known.items()
            if value in text
        }
    )


def search(juju: jubilant.Juju) -> tuple[int, list[str]]:
    """How many secrets are known, and a line for each place where one lies that it must not be in."""
    units = principals(juju.status())
    known: dict[str, str] = {}
    for unit in units:
        known.update({v: f'a secret of {unit}' for v in on_machine(juju, unit, do='gather')})
    known.update(of_juju(juju))
    values = list(known)
    found = findings(known, said_by_juju(juju))
    for unit in units:
        for place, index in on_machine(juju, unit, do='search', known=values):
            found.append(f"{known[values[index]]} is in {place} ({unit}'s machine)")
    return len(known), found


def watch(juju: jubilant.Juju, seconds: float) -> None:
    """From now on, every machine writes down for :func:`search` the arguments of processes, for so many *seconds*."""
    for unit in principals(juju.status()):
        on_machine(juju, unit, do='watch', seconds=seconds)


def main() -> int:
    """Exit code 1: a secret lies where it must not; 2: none is known, so that nothing was looked for."""
    parser = argparse.ArgumentParser(prog='python -m tools.secret_search', description=__doc__)
    parser.add_argument('--model', '-m', help='the model; else the current one')
    known, found = search(jubilant.Juju(model=parser.parse_args().model))
    for line in found:
        print(line)
    if not known:
        print('ERROR no secret of this model is known: nothing was looked for', file=sys.stderr)
        return 2
    print(f'{known} secrets looked for, {len(found)} findings')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
