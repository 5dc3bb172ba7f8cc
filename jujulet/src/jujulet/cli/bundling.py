"""``juju deploy BUNDLE``: read the files, plan purely, carry out step by step."""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
from typing import TYPE_CHECKING

from ..core import bases, bundle, lxdprofile, requests
from ..core import charm as charm_
from ..core import model as model_
from . import command, given
from .command import Call

if TYPE_CHECKING:
    from . import hub as hub_

_ONLY_CHARMS = ('config', 'constraints', 'bind', 'to', 'num-units', 'resource', 'storage')


def deploy(call: Call, path: pathlib.Path) -> int | None:
    """Make the model hold what the bundle at *path* says. Raises ``model.Refused`` and ``bundle.Invalid``."""
    for flag in _ONLY_CHARMS:
        if call.given(flag):
            raise command.usage_error(
                f'options provided but not supported when deploying a bundle: --{flag}'
            )
    found = read(call, path)
    model = call.fetch_model()
    steps = _plan(call, model, found)
    described = bundle.describe(steps, dry_run=call['dry-run'])
    if call['dry-run']:
        print(described.rstrip('\n'))
        return None
    call.say(described.rstrip('\n'))
    names: dict[str, str] = {}
    for step in steps:
        request = bundle.fill(step, names)
        if isinstance(request, bundle.Consume):
            from . import offers

            reply = offers.consume(call, request.url, request.name)
        elif isinstance(request, requests.Integrate):
            from . import relations

            reply = relations.integrate(call, request)
        else:
            reply = call.change(request)
        names = dict(bundle.learn(step, reply, names))
    if steps:
        call.say('Deploy of bundle completed.')
    return None


def read(call: Call, path: pathlib.Path) -> bundle.Bundle:
    """The bundle at *path* with the overlays that were given. Raises ``bundle.Invalid``."""
    return bundle.parse(
        given.text(str(path)),
        path=str(path),
        overlays=[(name, given.text(name)) for name in call['overlay']],
        read=_included,
    )


def _included(name: str) -> bytes:
    """What a bundle includes. Raises OSError."""
    try:
        return given.content(name)
    except given.LargerError:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name) from None


def _check_revisions(app: bundle.BundleApplication, obtained: hub_.Obtained) -> None:
    """A resource named by its revision must be the one that came with the charm. Raises ``model.Refused``."""
    files = obtained.found.resources if obtained.found else ()
    came = {each.name: each.revision for each in files}
    for name, value in app.resources.items():
        if isinstance(value, int) and came.get(name) != value:
            raise model_.Refused(
                f'{app.where}: application "{app.name}": resource "{name}": revision {value} is not what Charmhub '
                f'gives with this charm: give a path'
            )


def _plan(call: Call, model: model_.Model, found: bundle.Bundle) -> tuple[bundle.Step, ...]:
    """Everything is read and checked before the first change."""
    from . import charms, hub

    loaded: dict[str, charm_.Charm] = {}
    chosen: dict[str, charm_.Base] = {}
    resources: dict[str, dict[str, model_.Resource]] = {}
    for name, app in found.applications.items():
        wanted = found.base_of(name)
        obtained = hub.obtain(
            call,
            app.charm,
            channel=app.channel,
            revision=app.revision,
            base=str(wanted) if wanted else '',
            given={k: v for k, v in app.resources.items() if isinstance(v, str)},
        )
        _check_revisions(app, obtained)
        place = obtained.path
        read = charms.charmdir.read(place)
        base = bases.choose(read, wanted, charms.default_base(model), force=call['force'])
        chosen[name] = base
        there = charms.bases_of(model, name) if name in model.applications else []
        loaded[name] = charms.build(model, place, base, there, force=call['force'])
        paths_ = {k: v for k, v in app.resources.items() if isinstance(v, str)}
        resources[name] = charms.resources(loaded[name], paths_, came=obtained.resources)
        lxdprofile.check(loaded[name], force=call['force'])
    charms.remark(call, *loaded.values())
    charms.remark_on_bases(call, [(charm, chosen[name]) for name, charm in loaded.items()])
    if not call['dry-run']:
        charms.check_host(call, model, chosen.values())
        for name, charm in loaded.items():
            url = call.change(requests.AddCharm(charm=charm))['url']
            loaded[name] = dataclasses.replace(
                charm, url=url, revision=int(url.rpartition('-')[2])
            )
    return bundle.plan(
        model,
        found,
        loaded,
        bases=chosen,
        resources=resources,
        trust=call['trust'],
        force=call['force'],
        machines=call['map-machines'] or None,
    )
