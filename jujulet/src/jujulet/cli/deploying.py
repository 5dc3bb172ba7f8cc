"""``juju deploy`` and what follows it: ``refresh``, resources, ``export-bundle``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core import charm as charm_
from ..core import model as model_
from ..core import requests
from . import command
from .command import Call, Command, Flag

if TYPE_CHECKING:
    from . import hub as hub_


def _deploy(call: Call) -> int | None:
    from . import charms, hub

    if hub.revision(call) is not None and not call['channel'] and charms.is_name(call.args[0]):
        # Source: cmd/juju/application/deployer/deployer.go.
        raise model_.Refused(
            'specifying a revision requires a channel for future upgrades. Please use --channel'
        )
    obtained = hub.obtain(
        call,
        call.args[0],
        channel=call['channel'],
        revision=hub.revision(call),
        base=call['base'] or call['series'],
        given=command.pairs(call['resource']),
    )
    path = obtained.path
    if charms.is_bundle(path):
        from . import bundling

        code = bundling.deploy(call, path / 'bundle.yaml' if path.is_dir() else path)
    else:
        code = _deploy_charm(call, obtained)
    if call['wait'] and not call['dry-run'] and not code:
        from . import progress

        return progress.settle(call, timeout=call['timeout'])
    return code


def _deploy_charm(call: Call, obtained: hub_.Obtained) -> int | None:
    from . import applications, charms

    for flag in ('overlay', 'map-machines'):
        if call.given(flag):
            raise command.usage_error(
                f'options provided but not supported when deploying a charm: --{flag}'
            )
    model = call.fetch_model()
    name = (*call.args, '')[1]
    loaded = charms.load(
        call, model, obtained.path, call['base'] or call['series'], force=call['force']
    )
    charm = loaded.charm
    description = _described(charm, obtained)
    if obtained.found is None:
        call.say(f'Located {description}')
    if call['dry-run']:
        return None
    if not charm.subordinate and not call['to'] and call['num-units']:
        charms.check_host(call, model, [loaded.base])
    call.say(f'Deploying "{name or charm.name}" from {description} on {loaded.base}/stable')
    call.change(
        requests.Deploy(
            charm=charm.url,
            application=name,
            base=str(loaded.base),
            num_units=0
            if charm.subordinate and not call.given('num-units')
            else call['num-units'],
            options=_options(call, name or charm.name),
            constraints=command.constraints(call['constraints']),
            bindings=applications.bindings(' '.join(call['bind']).split()),
            storage=command.pairs(call['storage'], what='name=directive'),
            attach_storage=command.commas(call['attach-storage']),
            resources=charms.resources(
                charm, command.pairs(call['resource']), came=obtained.resources
            ),
            to=command.commas(call['to']),
            trust=call['trust'],
            force=call['force'],
        )
    )
    charms.remark(call, charm)
    charms.remark_on_bases(call, [(charm, loaded.base)])
    return None


def _described(charm: charm_.Charm, obtained: hub_.Obtained) -> str:
    found = obtained.found
    if found is None:
        return f'local charm "{charm.name}", revision {charm.revision}'
    where = f' in channel {found.channel}' if found.channel else ''
    return f'charm-hub charm "{found.name}", revision {found.revision}{where}'


def _options(call: Call, application: str) -> dict[str, Any]:
    """``--config``: ``k=v`` (``@file`` for a value), or a YAML file with the application's options."""
    from . import applications

    options: dict[str, Any] = {}
    for word in call['config']:
        if '=' in word:
            for name, value in command.pairs([word]).items():
                options[name] = applications.from_file(value)
        else:
            options.update(applications.config_file(word, application))
    return options


def _refresh(call: Call) -> None:
    from ..core import listings
    from . import applications, charms, hub

    name = call.args[0]
    for one, other in (('switch', 'revision'), ('path', 'revision'), ('switch', 'path')):
        if call.given(one) and call.given(other):
            raise command.usage_error(f'--{one} and --{other} are mutually exclusive')
    model = call.fetch_model()
    app = listings.found_application(model, name)
    given = call['path'] or call['switch']
    came = hub.origin(model.charms[app.charm].source)
    channel = call['channel']
    if not given and came is None:
        raise model_.Refused(
            f'"{name}" was deployed from this machine: say what to refresh it to with --path'
        )
    if not given and came is not None:
        given, channel = str(came['name']), channel or str(came['channel'])
    obtained = hub.obtain(
        call,
        given,
        channel=channel,
        revision=hub.revision(call),
        base=call['base'] or str(app.base),
        given=command.pairs(call['resource']),
    )
    found = obtained.found
    if found and came and (found.name, found.revision) == (came['name'], came['revision']):
        call.say(f'charm "{found.name}": already up-to-date')
        return
    path = obtained.path
    loaded = charms.load(
        call,
        model,
        path,
        call['base'] or str(app.base),
        force=call['force-base'],
        extra=charms.bases_of(model, name),
        fresh=True,
    )
    charm = loaded.charm
    call.change(
        requests.Refresh(
            application=name,
            charm=charm.url,
            base=call['base'],
            options=_options(call, name),
            resources=charms.resources(
                charm, command.pairs(call['resource']), came=obtained.resources
            ),
            storage=command.pairs(call['storage'], what='name=directive'),
            bindings=applications.bindings(' '.join(call['bind']).split()),
            trust=True if call['trust'] else None,
            force_units=call['force-units'] or call['force'],
            force_base=call['force-base'] or call['force'],
            force=call['force'],
        )
    )
    description = _described(charm, obtained)
    charms.remark(call, charm)
    call.say(f'Added {description}, to the model')


def _attach_resource(call: Call) -> None:
    from ..core import listings
    from . import charms

    name, *words = call.args
    model = call.fetch_model()
    app = listings.found_application(model, name)
    kept = charms.resources(model.charms[app.charm], command.pairs(words, what='name=path'))
    for resource in kept.values():
        call.change(requests.AttachResource(application=name, resource=resource))


def _resources(call: Call) -> None:
    from ..core import listings, table

    value = listings.resources(call.fetch_model(), call.args[0])

    def as_table(colour: bool) -> str:
        rows = [(r['name'], r['origin'], r['revision']) for r in value['resources']]
        if not rows:
            return 'No resources to display.\n'
        return table.render(('Resource', 'Supplied by', 'Revision'), rows, colour=colour)

    call.show(value, as_table)


def _export(call: Call) -> None:
    from ..core import export
    from . import out

    text = out.yaml(export.bundle(call.fetch_model()))
    if call['filename']:
        with open(call['filename'], 'w', encoding='utf-8') as f:
            f.write(text)
        call.say(f'Bundle successfully exported to {call["filename"]}')
    else:
        out.write(text)


def _diff(call: Call) -> None:
    from ..core import bundlediff
    from . import bundling, charms, hub, out

    path = hub.obtain(call, call.args[0], channel=call['channel']).path
    if not charms.is_bundle(path):
        raise model_.Refused(f'"{call.args[0]}" is not a bundle')
    found = bundling.read(call, path / 'bundle.yaml' if path.is_dir() else path)
    out.write(
        out.yaml(bundlediff.diff(call.fetch_model(), found, annotations=call['annotations']))
    )


_SHARED = (
    Flag(('base',), help='The base on which to deploy'),
    Flag(('channel',), help='The channel on Charmhub; else stable'),
    Flag(('charmhub-url',), help='Address of Charmhub; else JUJULET_CHARMHUB_URL, else its own'),
    Flag(('offline',), 'bool', help='Ask nobody: only what was downloaded before'),
    Flag(('config',), 'repeatable', help='Options, k=v or a YAML file'),
    Flag(('resource',), 'repeatable', help='Resource to be uploaded, name=path'),
    Flag(('revision',), help='A revision on Charmhub, in whatever channel it is'),
    Flag(('storage',), 'repeatable', help='Storage directives, name=pool,count,size'),
    Flag(('trust',), 'bool', help='Allow the application to access cloud credentials'),
    Flag(('bind',), 'repeatable', help='Application endpoint bindings, "ep=space ..."'),
)

COMMANDS = (
    Command(
        'deploy',
        _deploy,
        'Deploys a new application or bundle.',
        '<charm or bundle> [<application name>]',
        flags=(
            *_SHARED,
            command.FORCE,
            Flag(('attach-storage',), 'repeatable', help='Existing storage to attach'),
            Flag(('constraints',), 'repeatable', help='Application constraints'),
            Flag(('device',), 'repeatable', help='Accepted'),
            Flag(('dry-run',), 'bool', help='Just show what the deploy would do'),
            Flag(('map-machines',), help='How bundle machines map to those of the model'),
            Flag(('num-units', 'n'), 'int', 1, help='Number of application units to deploy'),
            Flag(('overlay',), 'repeatable', help='Bundles to overlay on the primary bundle'),
            Flag(('series',), help='The series on which to deploy'),
            Flag(('to',), 'repeatable', help='The machine for each unit'),
            Flag(('wait',), 'bool', help='Show progress until all is active, idle or in error'),
            Flag(('timeout',), 'duration', 1800.0, help='How long to wait with --wait'),
        ),
        needs=('no charm or bundle specified',),
        most=2,
    ),
    Command(
        'refresh',
        _refresh,
        "Refresh an application's charm.",
        '<application>',
        flags=(
            *_SHARED,
            command.FORCE,
            Flag(('force-base', 'force-series'), 'bool', help='Refresh even if the base differs'),
            Flag(('force-units',), 'bool', help='Refresh all units immediately, even in error'),
            Flag(('path',), help='Refresh to a charm located at path'),
            Flag(('switch',), help='Crossgrade to a different charm'),
        ),
        needs=('no application specified',),
    ),
    Command(
        'attach-resource',
        _attach_resource,
        'Update a resource for an application.',
        '<application> <resource name>=<file path>',
        needs=('no application specified', 'no resource specified'),
        most=None,
    ),
    Command(
        'resources',
        _resources,
        'Show the resources for an application or unit.',
        '<application>',
        flags=(Flag(('details',), 'bool', help='Accepted'),),
        needs=('missing application or unit name',),
        formats=('tabular', 'json', 'yaml'),
    ),
    Command(
        'export-bundle',
        _export,
        'Exports the current model configuration as a reusable bundle.',
        flags=(
            Flag(('filename',), help='Bundle file'),
            Flag(('include-charm-defaults',), 'bool', help='Accepted'),
            Flag(('include-series',), 'bool', help='Accepted'),
        ),
    ),
    Command(
        'diff-bundle',
        _diff,
        'Compare a bundle with a model and report any differences.',
        '<bundle file or name>',
        flags=(
            Flag(('annotations',), 'bool', help='Include differences in annotations'),
            Flag(('channel',), help='The channel on Charmhub; else stable'),
            Flag(
                ('charmhub-url',),
                help='Address of Charmhub; else JUJULET_CHARMHUB_URL, else its own',
            ),
            Flag(('offline',), 'bool', help='Ask nobody: only what was downloaded before'),
            Flag(('overlay',), 'repeatable', help='Bundles to overlay on the primary bundle'),
        ),
        needs=('no bundle specified',),
    ),
)
