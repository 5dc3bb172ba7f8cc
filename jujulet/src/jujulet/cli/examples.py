"""An example for each command, and topics: what ``juju help`` shows beside the flags."""

from __future__ import annotations

_LINES = """
actions mysql
add-cloud mine --file cloud.yaml
add-credential localhost --file credentials.yaml
add-machine --base debian@12 --constraints "mem=4G cores=2"
add-model test processes
add-secret api-key token=34ae35facd4
add-space dmz 10.180.40.0/24
add-ssh-key "ssh-ed25519 AAAA... me@here"
add-storage mysql/0 files=2
add-unit keystone -n 2
alias mysql ./charms/mysql
attach-resource app data=./data.txt
attach-storage mysql/0 files/1
backup before-upgrade.db
bind keystone public=dmz
bootstrap localhost
cache prune
cancel-task 5
clouds
config keystone debug=true
constraints keystone
consume admin/other.mysql
controller stop
controllers
create-storage-pool fast rootfs tier=one
credentials
debug-code app/0
debug-hooks app/0
debug-log --include unit-keystone-0 --limit 50
default-credential localhost
deploy ./charms/keystone --base debian@12 --config debug=true
destroy-model test --no-prompt
detach-storage files/0
diff-bundle ./bundle.yaml --overlay more.yaml
disable-command remove-object "Ask first."
disabled-commands
doctor
download postgresql --channel 14/stable
enable-command remove-object
env
exec --unit keystone/0 -- systemctl status apache2
export-bundle --filename model.yaml
expose keystone
find database --type charm
find-offers --interface mysql
grant joe read test
grant-secret api-key keystone
help-action-commands action-set
help-hook-commands relation-get
image debian@12
info postgresql
integrate keystone mysql:shared-db
login
logout
machines
model-config update-status-hook-interval=1m
model-constraints
model-defaults update-status-hook-interval=1m
models
move-to-space dmz 10.180.40.0/24
offer mysql:shared-db
offers
operations --apps mysql
pack charms/keystone -o build --base debian@12
recover --adopt
refresh keystone --path ./charms/keystone
regions localhost
reload-spaces
remove-application keystone --no-prompt
remove-cloud mine
remove-credential localhost default
remove-machine 3 --force
remove-offer mysql
remove-relation keystone mysql
remove-saas mysql
remove-secret api-key
remove-space dmz
remove-ssh-key me@here
remove-storage files/0
remove-storage-pool fast
remove-unit keystone/2 --no-prompt
rename-space dmz edge
resolved keystone/0
resources app
restore before-upgrade.db
resume-relation 5
retry-provisioning 3
revoke joe read test
revoke-secret api-key keystone
run keystone/leader pause
scp keystone/0:/var/log/syslog .
secrets
set-application-base keystone debian@13
set-constraints keystone mem=4G
set-model-constraints cores=2
show-action keystone pause
show-application keystone
show-cloud localhost
show-controller
show-credential localhost default --show-secrets
show-machine 0
show-model
show-offer mysql
show-operation 4
show-secret api-key --reveal
show-space dmz
show-status-log keystone/0
show-storage files/0
show-task 5
show-unit keystone/0
spaces
ssh keystone/0
ssh-keys
status --watch 1s
storage
storage-pools
subnets --space alpha
suspend-relation 5
switch test
trust app
unexpose keystone
update-cloud mine --file cloud.yaml
update-credential localhost default --file credentials.yaml
update-secret api-key token=91c2
update-storage-pool fast tier=two
upgrade-machine 0
users
version
wait-for application keystone --query='status=="active"'
whoami
"""

_OURS = (
    'alias',
    'backup',
    'cache',
    'controller',
    'doctor',
    'env',
    'image',
    'pack',
    'recover',
    'restore',
)


def of(command: str) -> str:
    """How a command is typed, for one; empty if none is known."""
    for line in _LINES.split('\n'):
        if line and line.partition(' ')[0] == command:
            return f'{"jujulet" if command in _OURS else "juju"} {line}'
    return ''


TOPICS = {
    'commands': 'every command, and what it does',
    'topics': 'this list',
    'plugins': 'programs called juju-NAME on the PATH, which juju NAME runs',
    'bases': 'what machines run, and what this host can build',
    'containers': 'machines that are containers, and machines that are processes',
    'charms': 'where charms come from',
}

_TEXTS = {
    'bases': """\
A machine runs debian@12, debian@13 or ubuntu@24.04, as far as an archive of it is in this host's apt: `jujulet doctor`
says which. A charm goes on --base, else on the model's default-base, else on the first that it names. Debian is always
tried.
""",
    'containers': """\
localhost   machines are system containers: needs root and podman, and is what charms of packages and services want
processes   machines are folders and processes of yours: needs nothing, touches no packages; for tests of charms

    juju add-model NAME processes
""",
    'charms': """\
A charm is a folder, a .charm file, a name that stands for one (jujulet alias NAME PATH), or a name on Charmhub. A
bundle is a YAML file, or a name there too.

    juju deploy ./charms/keystone
    juju deploy ./bundle.yaml
    juju deploy postgresql --channel 14/stable
    juju deploy postgresql --offline
""",
}


def topic(name: str) -> str:
    """The text of a topic; empty if there is none, or if it is made from what there is."""
    if name == 'topics':
        width = max(map(len, TOPICS))
        return ''.join(f'{each:<{width}}  {says}\n' for each, says in TOPICS.items())
    return _TEXTS.get(name, '')
