"""Faults of charms, each planted into one that has none; `charmkit check` is to find every one."""

# ruff: noqa: E501 -- a table
from __future__ import annotations

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Fault:
    """One that is planted into a charm of *kind*, and the rule that finds it."""

    rule: str
    file: str
    old: str
    """What is replaced; '' is the whole file, which then need not be there."""
    new: str = ''
    """'' takes the file away, where *old* is ''."""
    kind: str = 'api'
    without: str = ''
    """Another file that is taken away."""

    def __str__(self) -> str:
        return f'{self.rule}: {self.file}: {self.old[:30] or self.new[:30] or "gone"!r}'

    def plant(self, charm: pathlib.Path) -> None:
        if self.without:
            (charm / self.without).unlink()
        path = charm / self.file
        if not self.old:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.new) if self.new else path.unlink()
            return
        text = path.read_text()
        assert self.old in text, 'the fault does not fit what it is planted in'
        path.write_text(text.replace(self.old, self.new))


META, CHARM, SERVICE = 'charmcraft.yaml', 'src/charm.py', 'src/my_charm_service.py'
LOG = 'import logging\n\n_log = logging.getLogger(__name__)\n'
OPTION = '    extra:\n      type: string\n      default: x\n      description: More.\n'
CONFIG = 'config:\n  options:\n'
FAULTS = (
    Fault('readable', META, 'name: my-charm', 'name: [my-charm'),
    Fault('readable', 'pyproject.toml', '[project]', '[project'),
    Fault('readable', 'lifecycle.yaml', '', 'version: !!python/object:os.system {}\n'),
    Fault('metadata', META, ''),
    Fault('metadata', META, "summary: My Charm's API, on Apache\n"),
    Fault('name', META, 'name: my-charm', 'name: My_Charm'),
    Fault('documentation', META, 'documentation: https://', 'documentation: '),
    Fault('licence', 'pyproject.toml', 'license = "Apache-2.0"\n', without='LICENSE'),
    Fault('entry', CHARM, ''),
    Fault('charmkit', CHARM, 'charmkit.ApiCharm', 'ops.CharmBase'),
    Fault('python-3', 'src/old.py', '', 'print "hello"\n'),
    Fault('python-3', CHARM, '#!/usr/bin/env python3', '#!/usr/bin/env python2'),
    Fault('python-3', 'pyproject.toml', '">=3.11"', '">=2.7"'),
    Fault('python-2-packages', CHARM, "'python3-pymysql'", "'python-pymysql'"),
    Fault('dependencies', 'pyproject.toml', '    "cryptography>=46",  # The unit\'s certificate.\n'),
    Fault('private-key', 'files/tls.key', '', '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3\n-----END RSA PRIVATE KEY-----\n'),
    Fault('stray-files', 'src/.env', '', 'OS_PASSWORD=x\n'),
    Fault('tests', 'tests/unit/test_charm.py', ''),
    Fault('a-page', CHARM, 'if __name__', '\n' * 200 + 'if __name__'),
    Fault('idle-first', CHARM, 'idle.exit_if_idle()', 'idle.exit_if_idle'),
    Fault('idle-first', CHARM, 'from charmkit import idle\n', 'import ops\nfrom charmkit import idle\n'),
    Fault('two-bases', 'lifecycle.yaml', '{debian@12: zed, ubuntu@24.04: caracal, debian@13: epoxy}', '{debian@12: zed}'),
    Fault('juju', META, 'juju >= 3.6', 'juju >= 2.9'),
    Fault('options-described', META, CONFIG, CONFIG + '    mine:\n      type: int\n      default: many\n      description: x\n'),
    Fault('options-described', META, CONFIG, CONFIG + '    mine:\n      type: text\n      description: x\n'),
    Fault('options-described', META, CONFIG, CONFIG + '    mine:\n      type: boolean\n      default: true\n'),
    Fault('options-known', META, 'os-admin-hostname:', 'os-administrator-hostname:'),
    Fault('options-known', META, 'workers:\n      type: int\n      default: 0', 'workers:\n      type: string\n      default: "0"'),
    Fault('options-names', META, CONFIG, CONFIG + OPTION.replace('extra:', 'worker-multiplier:')),
    Fault('secret-default', META, CONFIG, CONFIG + OPTION.replace('extra:', 'admin-password:')),
    Fault('actions-known', META, '  openstack-upgrade:', '  upgrade-openstack:'),
    Fault('drains', META, '  pause:', '  stop-it:'),
    Fault('drains', 'lifecycle.yaml', 'drain: pause', 'drain: openstack-upgrade'),
    Fault('action-limits', META, '        minimum: 1\n'),
    Fault('actions-closed', META, '    additionalProperties: false\n'),
    Fault('relations-known', META, 'interface: mysql-shared', 'interface: mysql'),
    Fault('relations-known', META, '  identity-service:\n    interface: keystone\n', '  identity:\n    interface: keystone\n'),
    Fault('relations-known', META, '  neutron-plugin-api-subordinate:\n    interface: neutron-plugin-api-subordinate', '  neutron-plugin:\n    interface: neutron', kind='neutron-plugin'),
    Fault('behind-load-balancers', META, '  admin-backend:', '  administrator-backend:'),
    Fault('bindings', META, '  internal:\n  public:', '  public:'),
    Fault('peers', META, 'peers:\n  peers:', 'peers:\n  cluster:'),
    Fault('subordinate-scope', META, 'scope: container', 'scope: global', kind='monitoring'),
    Fault('subordinate-scope', META, '    interface: cinder-backend\n    scope: container\n', '    interface: cinder-backend\n', kind='cinder-backend'),
    Fault('lifecycle', 'lifecycle.yaml', ''),
    Fault('lifecycle', 'lifecycle.yaml', 'version: 1', 'version: 2'),
    Fault('lifecycle', 'lifecycle.yaml', 'debian@13: epoxy', 'debian@13: zed'),
    Fault('lifecycle', 'lifecycle.yaml', 'ways: [stay]', 'ways: [replace]', kind='compute-agent'),
    Fault('lifecycle-packed', META, 'prime: [lifecycle.yaml]', 'prime: [README.md]'),
    Fault('lifecycle-names', 'lifecycle.yaml', 'expand: db-expand', 'expand: db-migrate'),
    Fault('lifecycle-names', 'lifecycle.yaml', 'after: [database, message-queue, identity]', 'after: [message-queue, identity]'),
    Fault('declared', CHARM, "        user='www-data',\n"),
    Fault('declared', CHARM, 'charmkit.ServiceSpec(', 'dict('),
    Fault('mod-wsgi', CHARM, '        apps=(', '        programs=('),
    Fault('own-server-masked', CHARM, "'python3-sqlalchemy'", "'barbican-api'"),
    Fault('token-cache', CHARM, ', secret=ready.unit_secret'),
    Fault('token-cache', CHARM, 'secret=ready.unit_secret', "secret='s3cret'"),
    Fault('token-cache', CHARM, '        conf.database(ready[DB]),', "        conf.database(ready[DB]),\n        {'keystone_authtoken': {'memcache_security_strategy': 'None'}},"),
    Fault('health', CHARM, ', type=NAME'),
    Fault('health', CHARM, "health='/'", "health='status'"),
    Fault('migrations', CHARM, "        migrations=charmkit.migration.Commands(sync=(f'python3 {SCRIPT} {CONF}',)),\n"),
    Fault('needs-related', META, '  shared-db:\n    interface: mysql-shared\n    limit: 1\n'),
    Fault('secret-logged', 'src/extra.py', '', LOG + "\n\ndef connect(db):\n    _log.info('connecting as %s with %s', db.user, db.password)\n"),
    Fault('secret-logged', 'src/extra.py', '', "def connect(db_password: str):\n    print(f'connecting with {db_password}')\n"),
    Fault('secret-logged', 'src/extra.py', '', "def connect(bag):\n    raise ValueError('no account for ' + bag['admin-token'])\n"),
    Fault('secret-argument', 'src/extra.py', '', "import subprocess\n\n\ndef create(user, password):\n    subprocess.run(['adduser', user, f'--password={password}'])\n"),
    Fault('secret-file', 'src/extra.py', '', "from charmkit import host\n\n\ndef made(password):\n    return host.File(path='/etc/x', content=f'pw={password}')\n"),
    Fault('secret-file', 'src/extra.py', '', "import os\n\nos.chmod('/etc/x', 0o666)\n"),
    Fault('no-shell', 'src/extra.py', '', "import subprocess\n\n\ndef run(name):\n    subprocess.run(f'ls {name}', shell=True)\n"),
    Fault('no-shell', 'src/extra.py', '', 'def read(bag):\n    return eval(bag["value"])\n'),
)  # fmt: skip
