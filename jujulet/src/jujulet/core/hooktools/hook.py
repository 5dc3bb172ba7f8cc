"""Tools about the hook itself and its unit: log, configuration, leadership, status, version, reboot."""

from __future__ import annotations

from typing import Any

from .. import edit, environment, gnuflag, statuses
from .. import model as model_
from . import settings
from .tool import BAD_ARGUMENTS, OUTPUT, Ask, Failure, Reply, Tool, not_provided, pairs

LEVELS = ('TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
MOST_LETTERS = 65_536
"""Of the message of a status and of a version: both are kept, the former many times."""
SETTABLE = ('maintenance', 'blocked', 'waiting', 'active')


def juju_log(ask: Ask) -> Reply:
    """``juju-log``: never fails, whatever the level."""
    if not ask.args.positionals:
        raise Failure('no message specified', BAD_ARGUMENTS)
    level = str(ask.args['log-level']).upper()
    if ask.args['debug']:
        level = 'DEBUG'
    hook = ask.context.hook
    about = f'{hook.endpoint}:{hook.relation}: ' if hook.kind.startswith('relation-') else ''
    line = about + ' '.join(ask.args.positionals)
    log = ((level if level in LEVELS else 'INFO', line),)
    return Reply(ask.model, ask.context, log=log)


def is_leader(ask: Ask) -> Reply:
    """``is-leader``."""
    return ask.says(ask.leads)


def config_get(ask: Ask) -> Reply:
    """``config-get``: the snapshot that the hook began with."""
    key = ask.args.positionals[0] if ask.args.positionals else ''
    everything = ask.args['all']
    if key and everything:
        raise Failure(
            f'cannot use argument --all together with key {gnuflag.quote(key)}', BAD_ARGUMENTS
        )
    options = ask.context.config
    if key:
        return ask.says(options.get(key))
    given = {k: v for k, v in options.items() if v is not None}
    if everything:
        given = dict.fromkeys(ask.charm.options) | given
    return ask.says(given)


def status_set(ask: Ask) -> Reply:
    """``status-set``: takes effect at once, whatever becomes of the hook."""
    words = ask.args.positionals
    if not words:
        raise Failure('invalid args, require <status> [message]', BAD_ARGUMENTS)
    if words[0] not in SETTABLE:
        raise Failure(
            f'invalid status {gnuflag.quote(words[0])}, expected one of [{" ".join(SETTABLE)}]',
            BAD_ARGUMENTS,
        )
    message = _bounded((*words, '')[1], 'status message')
    if not ask.args['application']:
        changed = statuses.workload(ask.model, ask.unit.name, words[0], message, ask.now)
        return ask.changes(edit.unit(changed, ask.unit.name, status_set=True))
    if not ask.leads:
        raise Failure('this unit is not the leader')
    status = model_.Status(words[0], message, ask.now)
    return ask.changes(edit.application(ask.model, ask.unit.application, status=status))


def _bounded(text: str, what: str) -> str:
    if len(text) > MOST_LETTERS:
        raise Failure(
            f'{what} of {len(text)} letters: at most {MOST_LETTERS} are taken', BAD_ARGUMENTS
        )
    return text


def status_get(ask: Ask) -> Reply:
    """``status-get``."""
    with_data = ask.args['include-data']
    plain = not with_data and ask.args['format'] == 'smart'
    if not ask.args['application']:
        found = ask.unit.workload
        return ask.says(found.current if plain else _details(found, with_data))
    if not ask.leads:
        raise Failure('finding application status: this unit is not the leader')
    status = ask.application.status or model_.Status('unknown')
    if plain:
        return ask.says(status.current)
    units = {
        u.name: _details(u.workload, with_data) for u in ask.model.units_of(ask.unit.application)
    }
    return ask.says({'application-status': {**_details(status, with_data), 'units': units}})


def _details(status: model_.Status, with_data: bool) -> dict[str, Any]:
    if not with_data:
        return {'status': status.current}
    return {
        'message': status.message,
        'status': status.current,
        'status-data': dict(status.data),
    }


def application_version_set(ask: Ask) -> Reply:
    """``application-version-set``: takes effect at once."""
    if not ask.args.positionals:
        raise Failure('no version specified', BAD_ARGUMENTS)
    version = _bounded(ask.args.positionals[0], 'version')
    return ask.changes(edit.unit(ask.model, ask.unit.name, workload_version=version))


def juju_reboot(ask: Ask) -> Reply:
    """``juju-reboot``: the edge kills the hook when it reads ``now`` in the context's writes."""
    if ask.context.hook.kind == 'action':
        raise Failure('juju-reboot is not supported when running an action.')
    return ask.buffers(reboot='now' if ask.args['now'] else 'after')


def state_get(ask: Ask) -> Reply:
    """``state-get``: what the charm keeps, with what this hook has set."""
    state = dict(ask.unit.state)
    for key, value in ask.writes.state.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
    key = ask.args.positionals[0] if ask.args.positionals else '-'
    if key in ('-', ''):
        return ask.says(state)
    if key not in state and ask.args['strict']:
        raise Failure(f'{gnuflag.quote(key)} not found')
    return ask.says(state.get(key, ''))


def state_set(ask: Ask) -> Reply:
    """``state-set``."""
    given = pairs(ask.args.positionals)
    if path := ask.args['file']:
        given = settings.read(ask.contents(path)) | given
    return ask.buffers(state={**ask.writes.state, **given})


def state_delete(ask: Ask) -> Reply:
    """``state-delete``."""
    if not ask.args.positionals or not ask.args.positionals[0]:
        raise Failure('missing key', BAD_ARGUMENTS)
    return ask.buffers(state={**ask.writes.state, ask.args.positionals[0]: None})


def leader_get(ask: Ask) -> Reply:
    """``leader-get``."""
    key = ask.args.positionals[0] if ask.args.positionals else '-'
    found = dict(ask.application.leader_settings)
    return ask.says(found if key in ('-', '') else found.get(key))


def leader_set(ask: Ask) -> Reply:
    """``leader-set``: takes effect at once; an empty value deletes."""
    given = pairs(ask.args.positionals)
    if not ask.leads:
        raise Failure('cannot write leadership settings: cannot write settings: not the leader')
    before = dict(ask.application.leader_settings)
    after = {k: v for k, v in (before | given).items() if v != ''}
    if after == before:
        return ask.changes(ask.model)
    version = ask.application.leader_settings_version + 1
    return ask.changes(
        edit.application(
            ask.model,
            ask.application.name,
            leader_settings=after,
            leader_settings_version=version,
        )
    )


def unit_get(ask: Ask) -> Reply:
    """``unit-get``."""
    wanted = ask.args.positionals[0] if ask.args.positionals else ''
    if not wanted:
        raise Failure('no setting specified', BAD_ARGUMENTS)
    if wanted not in ('private-address', 'public-address'):
        raise Failure(f'unknown setting {gnuflag.quote(wanted)}', BAD_ARGUMENTS)
    return ask.says(environment.address_of(ask.model, ask.unit.name))


def credential_get(ask: Ask) -> Reply:
    """``credential-get``: this machine asks for no credential, so the trusted get an empty one."""
    if not ask.application.trust:
        raise Failure('cannot access cloud credentials: permission denied')
    return ask.says(
        {
            'credential': {'attrs': {}, 'auth-type': 'empty', 'redacted': []},
            'name': 'jujulet',
            'region': 'localhost',
            'type': 'jujulet',
        }
    )


def _file(args: gnuflag.Parsed) -> tuple[str, ...]:
    return (args['file'],) if args['file'] else ()


def _flag(name: str, text: str) -> gnuflag.Flag:
    return gnuflag.Flag((name,), 'bool', help=text)


_DEPRECATED_FORMAT = gnuflag.Flag(('format',), help='deprecated format flag')


TOOLS = (
    Tool(
        'juju-log',
        juju_log,
        'Write a message to the juju log.',
        '<message>',
        (
            _flag('debug', 'log at debug level'),
            gnuflag.Flag(
                ('log-level', 'l'), 'string', 'INFO', 'Send log message at the given level'
            ),
            _DEPRECATED_FORMAT,
        ),
    ),
    Tool('is-leader', is_leader, 'Print application leadership status.', '', OUTPUT, 0),
    Tool(
        'config-get',
        config_get,
        'Print application configuration.',
        '[<key>]',
        (*OUTPUT, gnuflag.Flag(('all', 'a'), 'bool', help='print all keys')),
        1,
    ),
    Tool(
        'status-set',
        status_set,
        'Set status information.',
        '<maintenance | blocked | waiting | active> [message]',
        (_flag('application', 'set this status for the application if the unit is the leader'),),
        2,
    ),
    Tool(
        'status-get',
        status_get,
        'Print status information.',
        '[--include-data] [--application]',
        (
            *OUTPUT,
            _flag('include-data', 'print all status data'),
            _flag('application', 'print status for all units if this unit is the leader'),
        ),
        0,
    ),
    Tool(
        'application-version-set',
        application_version_set,
        'Specify which version of the application is deployed.',
        '<new-version>',
        most=1,
    ),
    Tool(
        'juju-reboot',
        juju_reboot,
        'Reboot the host machine.',
        flags=(_flag('now', 'reboot immediately, killing the invoking process'),),
        most=0,
    ),
    Tool(
        'state-get',
        state_get,
        'Print server-side-state value.',
        '[<key>]',
        (*OUTPUT, _flag('strict', 'Return an error if the requested key does not exist')),
        1,
    ),
    Tool(
        'state-set',
        state_set,
        'Set server-side-state values.',
        'key=value [key=value ...]',
        (gnuflag.Flag(('file',), help='file containing key-value pairs'),),
        files=_file,
    ),
    Tool(
        'state-delete', state_delete, 'Delete server-side-state key value pairs.', '<key>', most=1
    ),
    Tool('leader-get', leader_get, 'Print application leadership settings.', '[<key>]', OUTPUT, 1),
    Tool('leader-set', leader_set, 'Write leadership settings.', '<key>=<value> [...]'),
    Tool('unit-get', unit_get, 'Print public-address or private-address.', '<setting>', OUTPUT, 1),
    Tool('credential-get', credential_get, 'Access cloud credentials.', '', OUTPUT, 0),
)

STUBS = tuple(
    Tool(name, not_provided, f'{name} is not provided by jujulet.')
    for name in (
        'add-metric',
        'k8s-raw-get',
        'k8s-raw-set',
        'k8s-spec-get',
        'k8s-spec-set',
        'payload-register',
        'payload-status-set',
        'payload-unregister',
        'pod-spec-get',
        'pod-spec-set',
    )
)
"""Tools that Juju has and that do nothing here; each says so. Their arguments are not read."""
