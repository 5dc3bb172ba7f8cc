"""What a keystone unit is to be: what its leader shares, and what is on its machine. Pure.

The leader makes a seed, of which every password is derived, and two rings of keys. They are Juju
secrets whose URIs stand in the peer relation's application data; a unit serves once it has them. Nothing
is used before Juju has kept it, so a hook that dies leaves no password behind that nobody knows.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping

import cache
import charmkit
import directories
import domains
import keys
import renewal
import settings
import stored_credentials
from charmkit import apache, api, front, host, releases, service, state
from charmkit.relations import JUJUS_OWN, Databag

PORT = 5000
DB = settings.DB
SEED = 'seed'
UNSHARED = 'waiting for the leader to share its keys'

WIDEN = '/etc/keystone/utf8mb4.py'
"""Run after each migration of the schema; see :mod:`utf8mb4`."""
SCRIPT = '/usr/local/lib/charmkit/keystone.wsgi'
"""Where Apache finds the script that it runs; see :mod:`shared_regions`."""
_PROGRAMS = {
    WIDEN: 'utf8mb4.py',
    settings.UNBLOCKED: 'unblocked_migration.py',
    stored_credentials.PROGRAM: 'reencryption.py',
    directories.PROGRAM: 'directory_probe.py',
}
"""What runs there, by path: modules of the charm that need what keystone's package brings."""


@dataclasses.dataclass(frozen=True)
class Shared:
    """What Juju keeps for all units."""

    seed: str = dataclasses.field(repr=False)
    rings: Mapping[keys.Kind, keys.Ring]
    rotations: renewal.Rotations


def shared(inputs: charmkit.Inputs) -> Shared | None:
    """What the leader has shared; None while some of it is not there."""
    seed = _secret(inputs, SEED).get('seed', '')
    rings = {kind: keys.load(_secret(inputs, kind.label).get('ring', '')) for kind in keys.KINDS}
    known = {kind: ring for kind, ring in rings.items() if ring}
    if not seed or len(known) < len(rings):
        return None
    return Shared(seed, known, renewal.load(inputs.peers.get(renewal.KEY, '')))


def refusal(inputs: charmkit.Inputs) -> str:
    """Why this unit cannot serve yet, whatever else is there."""
    return '' if shared(inputs) else UNSHARED


def _program(path: str, module: str) -> host.File:
    text = pathlib.Path(__file__).with_name(module).read_text(encoding='utf-8')
    return host.File(path=path, content=text, group=keys.USER, mode=0o640)


def script() -> host.File:
    """What Apache runs."""
    text = pathlib.Path(__file__).with_name('shared_regions.py').read_text(encoding='utf-8')
    return host.File(path=SCRIPT, content=text, notify=(apache.group('keystone'),))


def machine(ready: service.Ready) -> host.Host:
    """Keys on disk, files of domains, programs."""
    inputs = ready.inputs
    known = shared(inputs)
    if known is None:
        return host.Host()
    made = settings.made_domains(inputs)
    parts = [keys.on_disk(kind, ring) for kind, ring in known.rings.items()]
    parts.append(cache.desired(inputs.facts.memory_mib))
    parts.append(host.Host(files=tuple(_program(*item) for item in _PROGRAMS.items())))
    parts.append(host.Host(files=(script(),)))
    parts.append(
        domains.desired(
            {n: ini for n, ini in settings.directories(inputs).items() if n in made},
            {n: nonce for n, nonce in settings.brought(inputs).items() if n in made},
            inputs.memory.get(domains.KEY) or (),
            (apache.group('keystone'),),
        )
    )
    return host.merge(*parts)


def desired_state(
    spec: service.ServiceSpec,
    why: charmkit.Why,
    inputs: charmkit.Inputs,
    due: Iterable[str] = (),
    adopted: keys.Ring | None = None,
) -> charmkit.Desired:
    """What the service's spec says, with what its units share.

    *due* are labels of secrets that Juju wants rotated now, *adopted* the credential keys of another keystone.
    """
    inputs, secrets, late = _rotated(inputs, {*due, *inputs.peers.get('due', '').split()})
    if adopted:
        inputs, secrets = _with_keys_of(adopted, inputs, secrets)
    desired = api.run(spec, why, inputs)
    if desired.failure:
        return desired
    known = shared(inputs)
    status = tuple(
        state.Status('waiting', s.message) if s.message == UNSHARED else s for s in desired.status
    )
    mine = desired.unit_data.get('peers', _without_jujus(inputs.my_peer_data))
    have = {kind.name: ring.digest for kind, ring in known.rings.items()} if known else {}
    app = {
        **inputs.peers,
        **desired.app_data.get('peers', {}),
        **{label: inputs.peers.get(label) or state.secret_uri(label) for label in secrets},
        'due': ' '.join(sorted(late)),
    }
    return dataclasses.replace(
        desired,
        unit_data={**desired.unit_data, 'peers': {**mine, **have}},
        app_data={**desired.app_data, 'peers': {k: v for k, v in app.items() if v}},
        secrets=secrets,
        status=(*status, *_late(inputs, late)),
        memory={**desired.memory, **settings.memory(inputs)},
    )


def serving_state(spec: service.ServiceSpec, inputs: charmkit.Inputs) -> front.ServingState:
    """Where this unit is, with keystone's URLs filled in."""
    release = releases.of_base(inputs.facts.base)
    return front.serving_state(spec.on(release), inputs, front.ServiceIntent())


def _secret(inputs: charmkit.Inputs, label: str) -> Mapping[str, str]:
    return inputs.secrets.get(inputs.peers.get(label, ''), {})


def _without_jujus(data: Databag) -> Databag:
    return {k: v for k, v in data.items() if k not in JUJUS_OWN}


def _rotated(
    inputs: charmkit.Inputs, due: set[str]
) -> tuple[charmkit.Inputs, dict[str, state.Secret], set[str]]:
    """Make what is not there, rotate what is *due*, and say what must wait.

    Returns the inputs as they are after a rotation, the secrets to keep, and the labels that
    are still due.
    """
    secrets: dict[str, state.Secret] = {}
    # Before there is a peer relation the URIs of secrets could not be kept.
    if not inputs.site.leader or not inputs.my_peer_data:
        return inputs, secrets, set()
    if not inputs.peers.get(SEED):
        content = {'seed': state.password(inputs, SEED, 64)}
        secrets[SEED] = state.Secret(content=content, description='what passwords come from')
    late: set[str] = set()
    for kind in keys.KINDS:
        ring = keys.load(_secret(inputs, kind.label).get('ring', ''))
        random = state.password(inputs, kind.label, 64)
        if not inputs.peers.get(kind.label):
            secrets[kind.label] = _kept(kind, keys.make(random))
        elif ring and kind.label in due:
            if _lacking(inputs, kind, ring) or _unfinished(inputs, kind, ring):
                late.add(kind.label)
                continue
            expiration = settings.token_expiration_s(inputs)
            ring = keys.rotate(ring, random, keys.keep(kind, expiration))
            secrets[kind.label] = _kept(kind, ring)
            inputs = _with_ring(inputs, kind, ring)
    return inputs, secrets, late


def _with_ring(inputs: charmkit.Inputs, kind: keys.Kind, ring: keys.Ring) -> charmkit.Inputs:
    uri = inputs.peers[kind.label]
    after = {**inputs.secrets, uri: {'ring': keys.dump(ring)}}
    return dataclasses.replace(inputs, secrets=after)


def _with_keys_of(
    other: keys.Ring, inputs: charmkit.Inputs, secrets: Mapping[str, state.Secret]
) -> tuple[charmkit.Inputs, dict[str, state.Secret]]:
    """The inputs as they are once the keys of the *other* keystone decrypt here too, and the secrets to keep."""
    known = shared(inputs)
    if known is None:
        return inputs, {**secrets}
    kind = keys.CREDENTIAL
    ring = keys.adopt(known.rings[kind], other)
    return _with_ring(inputs, kind, ring), {**secrets, kind.label: _kept(kind, ring)}


def _kept(kind: keys.Kind, ring: keys.Ring) -> state.Secret:
    content = {'ring': keys.dump(ring)}
    return state.Secret(content=content, description=f'{kind.name} keys', rotate=kind.rotate)


def _lacking(inputs: charmkit.Inputs, kind: keys.Kind, ring: keys.Ring) -> tuple[str, ...]:
    have = {unit: data.get(kind.name, '') for unit, data in inputs.peer_units.items()}
    have[inputs.site.unit] = inputs.my_peer_data.get(kind.name, '')
    return keys.may_rotate(ring, have)


def _unfinished(inputs: charmkit.Inputs, kind: keys.Kind, ring: keys.Ring) -> bool:
    """Whether something may still be encrypted with a key that would be forgotten."""
    done = inputs.peers.get(stored_credentials.DONE, '')
    return kind == keys.CREDENTIAL and bool(done) and done.split()[0] != ring.digest


def _late(inputs: charmkit.Inputs, late: Iterable[str]) -> list[state.Status]:
    out: list[state.Status] = []
    for kind in keys.KINDS:
        ring = keys.load(_secret(inputs, kind.label).get('ring', ''))
        if ring and kind.label in late:
            units = ', '.join(_lacking(inputs, kind, ring))
            what = f'{units} to have them' if units else 'credentials to be encrypted anew'
            out.append(state.Status('active', f'{kind.name} keys wait for {what}'))
    return out
