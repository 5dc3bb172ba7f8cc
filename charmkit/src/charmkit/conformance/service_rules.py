"""What a service does on its machine, as its code declares it; and what no code does. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from . import asking, code
from .asking import asks
from .view import ENTRY, View, last_name

_LOGGERS = ('_log', 'log', 'logger', '_logger', 'logging', 'LOG', '_LOG')
_LEVELS = ('debug', 'info', 'warning', 'error', 'critical', 'exception', 'log')
_RUNNERS = (
    'run',
    'Popen',
    'check_call',
    'check_output',
    'program',
    'stream',
    'Command',
    'Migration',
    'call',
)
_UNSAFE = {'eval', 'exec'}
_PYTHON_2 = re.compile(r'python2?-(?!m\b)[a-z0-9.+-]+|libapache2-mod-wsgi')
_OWNERS = ('subprocess', 'machine', 'self')
_SERVERS = re.compile(r'.*-(api|server)(-[a-z]+)?')
_NO_SERVERS = re.compile(
    r'(python3?|lib).*|.*-(rpc|pymysql|common|doc|client)-?.*|rabbitmq-server|mariadb-server'
)


@asks(
    'declared',
    'An API service or an agent is declared: one ServiceSpec with its name, user, packages and needs.',
    'Set spec = charmkit.ServiceSpec(…) in the class; what is more belongs into functions that it names.',
    of=asking.declared,
)
def declared(view: View) -> Iterator[str]:
    """It is not."""
    found = code.specs(view)
    if not found:
        yield f'no ServiceSpec in {ENTRY}'
    for spec in found[:1]:
        for name in ('name', 'user', 'packages', 'needs'):
            if spec.argument(name) is None:
                yield f'its spec has no {name}'


@asks(
    'python-2-packages',
    'No package of Python 2 is installed.',
    'Name the package of Python 3: python3-pymysql, libapache2-mod-wsgi-py3.',
)
def python_2_packages(view: View) -> Iterator[str]:
    """Those that are."""
    for where, word in code.words(view):
        if _PYTHON_2.fullmatch(word):
            yield f'{where}: {word[:60]}'


@asks(
    'mod-wsgi',
    'An API is served by Apache with mod_wsgi, each application on a port of its own.',
    "Name the distribution's WSGI script and a port in a WsgiApp of the spec.",
    of=asking.api,
)
def mod_wsgi(view: View) -> Iterator[str]:
    """It is not, as far as can be seen."""
    if not view.kind:
        if not any(
            re.search(rb'mod[-_]wsgi|WSGIScriptAlias', data) for data in view.files.values()
        ):
            yield 'nothing of it names mod_wsgi'
        return
    for spec in code.specs(view)[:1]:
        if spec.argument('apps') is None:
            yield 'its spec has no apps'
        ports = [code.constant(code.argument(n, 2, 'port')) for n in _apps(spec)]
        numbers = [port for port in ports if isinstance(port, int)]
        if len({*numbers}) < len(numbers):
            yield f'two applications have one port: {numbers}'


@asks(
    'own-server-masked',
    'A server that a package starts by itself never runs: Apache serves there.',
    'Name its systemd unit in masked=(…) of the spec.',
    of=asking.declared_api,
)
def own_server_masked(view: View) -> Iterator[str]:
    """One that would."""
    for spec in code.specs(view)[:1]:
        servers = [
            p
            for p in spec.words('packages')
            if _SERVERS.fullmatch(p) and not _NO_SERVERS.fullmatch(p)
        ]
        masked = spec.words('masked')
        yield from (f'{name} is not masked' for name in servers if name not in masked)


@asks(
    'token-cache',
    "Tokens are cached in the unit's own memcached, encrypted with a secret of the unit's.",
    'Have conf.keystone_authtoken(ready[IDENTITY], secret=ready.unit_secret) in the configuration.',
    of=asking.api,
)
def token_cache(view: View) -> Iterator[str]:
    """They are not, as far as can be seen."""
    if not view.kind:
        if not any(
            b'memcache' in data
            for path, data in view.files.items()
            if path.endswith(('.py', '.j2', '.yaml'))
        ):
            yield 'nothing of it names memcached'
        return
    # Keystone itself provides the relation, and checks its own tokens.
    if not any(e.role == 'requires' and e.interface == 'keystone' for e in view.endpoints):
        return
    found = list(code.calls(view, 'keystone_authtoken'))
    if not found:
        yield 'conf.keystone_authtoken is not called'
    for where, node in found:
        secret = code.argument(node, 1, 'secret')
        if secret is None:
            yield f'{where}: without secret='
        elif isinstance(secret, ast.Constant):
            yield f'{where}: secret= is the same on every unit'
    for where, word in code.words(view):
        if word == 'memcache_security_strategy':
            yield f'{where}: {word} is set anew'


@asks(
    'health',
    'Each application of the catalogue is offered to load balancers, with a path that says whether it is well.',
    "Give the WsgiApp its type; without a /healthcheck of its own, health='/' names a path that answers 200.",
    of=asking.declared_api,
)
def health(view: View) -> Iterator[str]:
    """One that is not."""
    for spec in code.specs(view)[:1]:
        apps = _apps(spec)
        types = [code.argument(app, 3, 'type') for app in apps]
        if apps and not any(node is not None and code.constant(node) != '' for node in types):
            yield 'no application has a type: none is published to a load balancer'
        for app in apps:
            path = code.constant(code.keyword(app, 'health'))
            if isinstance(path, str) and path and not path.startswith('/'):
                yield f'health={path[:40]!r} is no path'


@asks(
    'migrations',
    'A service that has a database migrates it by itself, once for each release, on one unit.',
    "Give the spec migrations=charmkit.migration.Commands(sync=('… db sync',)).",
    of=asking.declared_api,
)
def migrations(view: View) -> Iterator[str]:
    """It does not."""
    if not code.called(view, 'mysql', 'need'):
        return
    for spec in code.specs(view)[:1]:
        found = spec.calls('migrations', 'Commands')
        if spec.argument('migrations') is None:
            yield 'it needs a database, and its spec has no migrations'
        elif found and code.keyword(found[0], 'sync') is None and not found[0].args:
            yield 'its migrations have no sync'


@asks(
    'needs-related',
    'What the code needs of other charms can be related: each need has its endpoint in charmcraft.yaml.',
    'Write the endpoint into requires: of charmcraft.yaml.',
    of=asking.declared,
)
def needs_related(view: View) -> Iterator[str]:
    """One that has none."""
    there = {e.name for e in view.endpoints}
    for module, name in (
        ('mysql', 'shared-db'),
        ('rabbitmq', 'amqp'),
        ('keystone', 'identity-service'),
    ):
        if code.called(view, module, 'need') and name not in there:
            yield f'{module}.need(…) is called, and there is no relation {name}'


@asks(
    'secret-logged',
    'No secret is written into a log, a status or what is printed.',
    'Say what it is for instead, or its fingerprint: charmkit.passwords.fingerprint.',
)
def secret_logged(view: View) -> Iterator[str]:
    """Where one is."""
    for where, node in code.calls(
        view, *_LEVELS, 'print', 'Status', 'set_status', 'fail', 'progress', 'status_set'
    ):
        callee = node.func
        owner = last_name(callee.value) if isinstance(callee, ast.Attribute) else ''
        if last_name(callee) in _LEVELS and owner not in _LOGGERS:
            continue
        names = {
            name
            for argument in (*node.args, *(k.value for k in node.keywords))
            for name in code.secrets_in(argument)
        }
        yield from (f'{where}: {name}' for name in sorted(names))
    for path, tree in view.trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                names = {n for argument in node.exc.args for n in code.secrets_in(argument)}
                yield from (f'{path}:{node.lineno}: {name} in an error' for name in sorted(names))


@asks(
    'secret-argument',
    'No secret is an argument of a program: every user of the machine can read those.',
    'Give it by standard input, or by the environment: migration.Migration(environment=…), machine.program(stdin=…).',
)
def secret_argument(view: View) -> Iterator[str]:
    """Where one is."""
    for where, node in code.calls(view, *_RUNNERS):
        callee = node.func
        owner = last_name(callee.value) if isinstance(callee, ast.Attribute) else ''
        if owner and last_name(callee) in ('run', 'call') and owner not in _OWNERS:
            continue
        argv = [
            *node.args,
            *(v for k in ('args', 'argv') if (v := code.keyword(node, k)) is not None),
        ]
        names = {name for argument in argv for name in code.secrets_in(argument)}
        yield from (f'{where}: {name}' for name in sorted(names))


@asks(
    'secret-file',
    'A file that has a secret in it can be read by its service alone.',
    "Give it mode=0o640 and the service's group, or 0o600.",
)
def secret_file(view: View) -> Iterator[str]:
    """One that others can read, or write."""
    for where, node in code.calls(view, 'File', 'write', 'chmod', 'push', 'mkdir', 'Directory'):
        mode = code.constant(code.keyword(node, 'mode') or _last(node))
        number = mode if isinstance(mode, int) and not isinstance(mode, bool) else None
        callee = last_name(node.func)
        if number is not None and number <= 0o7777 and number & 0o002 and callee not in ('write',):
            yield f'{where}: mode {number:#o} lets everybody write'
        content = code.keyword(node, 'content')
        if callee == 'File' and content is not None and (number is None or number & 0o004):
            names = sorted({*code.secrets_in(content)})
            yield from (f'{where}: {name} is in a file that everybody can read' for name in names)


@asks(
    'no-shell',
    'No text is given to a shell or to an interpreter: what a relation says would become a command.',
    'Give programs their arguments one by one, and parse data with json or yaml.safe_load.',
)
def no_shell(view: View) -> Iterator[str]:
    """Where one is."""
    for path, tree in view.trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name, shell = last_name(node.func), code.keyword(node, 'shell')
            owner = last_name(node.func.value) if isinstance(node.func, ast.Attribute) else ''
            if shell is not None and code.constant(shell) is not False:
                yield f'{path}:{node.lineno}: shell=True'
            elif name in _UNSAFE and isinstance(node.func, ast.Name):
                yield f'{path}:{node.lineno}: {name}'
            elif (owner, name) in (
                ('os', 'system'),
                ('os', 'popen'),
                ('pickle', 'loads'),
                ('pickle', 'load'),
                ('marshal', 'loads'),
            ):
                yield f'{path}:{node.lineno}: {owner}.{name}'
            elif (owner, name) == ('yaml', 'load') and len(node.args) < 2 and not node.keywords:
                yield f'{path}:{node.lineno}: yaml.load without a safe loader'


def _apps(spec: code.SpecCall) -> list[ast.Call]:
    return spec.calls('apps', 'WsgiApp')


def _last(node: ast.Call) -> ast.expr | None:
    return node.args[-1] if node.args and last_name(node.func) in ('chmod', 'mkdir') else None


RULES = (
    declared, python_2_packages, mod_wsgi, own_server_masked, token_cache, health, migrations, needs_related,
    secret_logged, secret_argument, secret_file, no_shell,
)  # fmt: skip
