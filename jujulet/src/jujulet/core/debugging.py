"""Hooks and actions that a user wants to run by hand, in a terminal on the machine. Pure: names, and shell scripts.

Source: worker/uniter/runner/debug and cmd/juju/ssh/debughooks.go of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
import shlex

from . import hooks
from .charm import Charm
from .model import Refused

UNIT_HOOKS = (
    *('install', 'start', 'config-changed', 'upgrade-charm', 'stop', 'remove', 'leader-elected'),
    *('leader-deposed', 'leader-settings-changed', 'update-status', 'pre-series-upgrade'),
    'post-series-upgrade',
)


@dataclasses.dataclass(frozen=True)
class Session:
    """What one user has asked to be shown of one unit."""

    names: frozenset[str] = frozenset()
    """Hooks and actions; none: all of them."""
    at: str = ''
    """For the charm's ``JUJU_DEBUG_AT``: it is run, and stops there by itself. Empty: the user runs it."""

    def wants(self, name: str) -> bool:
        """Whether a hook or an action is to be run by hand."""
        return not self.names or name in self.names


def session(charm: Charm, unit: str, names: tuple[str, ...], at: str = '') -> Session:
    """What is wanted of a unit with *charm*. Refused, in Juju's words, for a name that it does not have."""
    if '*' in names:
        names = ()
    actions = sorted(charm.actions)
    valid = sorted(_hooks(charm))
    for name in names:
        if name not in actions and name not in valid:
            raise Refused(
                f'unit "{unit}" contains neither hook nor action "{name}", valid actions are '
                f'[{" ".join(actions)}] and valid hooks are [{" ".join(valid)}]'
            )
    return Session(frozenset(names), at)


def _hooks(charm: Charm) -> set[str]:
    found = {*UNIT_HOOKS, *hooks.SECRET}
    found |= {
        f'{name}-{kind}' for name in (*charm.relations, 'juju-info') for kind in hooks.RELATION
    }
    return found | {f'{name}-{kind}' for name in charm.storage for kind in hooks.STORAGE}


def socket(uuid: str, unit: str) -> str:
    """The name of the tmux server of a unit's session: a user's own are left alone."""
    return f'jujulet-{uuid[:8]}-{unit.replace("/", "-")}'


def present(uuid: str, unit: str) -> tuple[str, ...]:
    """The command that succeeds while somebody is there."""
    return ('tmux', '-L', socket(uuid, unit), 'has-session', '-t', unit)


def client_script(uuid: str, unit: str) -> str:
    """For bash on the unit's machine: opens the session, and ends it when the user goes."""
    return _CLIENT.format(socket=socket(uuid, unit), unit=shlex.quote(unit))


def server_script(uuid: str, unit: str, program: str, found: Session) -> str:
    """For bash with a hook's environment, in the charm's folder: has *program* run in a window of the session.

    Its exit code is that of the hook.
    """
    run = '"$JUJU_DEBUG_PROGRAM"; echo $? >"$JUJU_DEBUG/hook_exit_status"'
    by_hand = 'exec /bin/bash --noprofile --init-file "$JUJU_DEBUG/init.sh"'
    return _SERVER.format(
        socket=socket(uuid, unit),
        program=shlex.quote(program),
        at=f'export JUJU_DEBUG_AT={shlex.quote(found.at)}' if found.at else '',
        run=run if found.at else by_hand,
    )


_CLIENT = """\
case "${{TERM:-dumb}}" in dumb | unknown) TERM=xterm ;; esac  # Bash says dumb where nothing is said.
export TERM
T="tmux -L {socket}"
if ! type tmux >/dev/null 2>&1; then
    echo 'installing tmux in the machine' >&2
    export DEBIAN_FRONTEND=noninteractive
    {{ apt-get -qq update && apt-get -qq install --yes tmux; }} >/dev/null 2>&1 ||
        {{ echo 'ERROR tmux cannot be installed in the machine: apt-get install tmux says why' >&2; exit 1; }}
fi
if $T has-session -t {unit} 2>/dev/null; then
    echo 'Found existing debug sessions, attempting to reconnect' >&2
    exec $T attach-session -t {unit}
fi
$T new-session -d -s {unit} || exit 1
$T set-option -t {unit} prefix C-a >/dev/null
trap 'echo "Cleaning up the debug session"; '"$T"' kill-session -t {unit} 2>/dev/null' EXIT
$T attach-session -t {unit}
"""

_SERVER = """\
set -e
T="tmux -L {socket}"
JUJU_DEBUG_PROGRAM={program}
export JUJU_DEBUG_PROGRAM
JUJU_DEBUG=$(mktemp -d -t juju-debug-hooks-XXXXXX)
export JUJU_DEBUG
{at}
end() {{
    if [ -f "$JUJU_DEBUG/hook.pid" ]; then kill -9 "$(cat "$JUJU_DEBUG/hook.pid")" 2>/dev/null || true; fi
    rm -rf "$JUJU_DEBUG"
}}
trap end EXIT
export PS1="$JUJU_UNIT_NAME:$JUJU_DISPATCH_PATH % "
export -p | grep -v '^declare -x \\(LS_COLORS\\|LESSOPEN\\|LESSCLOSE\\|PWD\\|OLDPWD\\|SHLVL\\)' >"$JUJU_DEBUG/env.sh"
cat >"$JUJU_DEBUG/init.sh" <<'END'
echo "This is a debug session of $JUJU_UNIT_NAME: $JUJU_DISPATCH_PATH is yours to run."
echo "    $JUJU_DEBUG_PROGRAM runs it"
echo "    exit [CODE]                             ends it, and Juju goes on; another code than 0 is a failure"
echo "    tmux kill-session -t $JUJU_UNIT_NAME    ends the session: what comes after it runs by itself"
trap 'echo $? >"$JUJU_DEBUG/hook_exit_status"' EXIT
END
cat >"$JUJU_DEBUG/hook.sh" <<END
. "$JUJU_DEBUG/env.sh"
echo \\$\\$ >"$JUJU_DEBUG/hook.pid.new"
mv "$JUJU_DEBUG/hook.pid.new" "$JUJU_DEBUG/hook.pid"
. "$JUJU_DEBUG/run.sh"
END
cat >"$JUJU_DEBUG/run.sh" <<'END'
{run}
END
WINDOW="${{JUJU_HOOK_NAME:-$JUJU_DISPATCH_PATH}}"
$T new-window -t "$JUJU_UNIT_NAME" -c "$PWD" -n "$WINDOW" "/bin/bash $JUJU_DEBUG/hook.sh"
for _ in $(seq 100); do
    if [ -f "$JUJU_DEBUG/hook.pid" ]; then break; fi
    sleep 0.1
done
PID=$(cat "$JUJU_DEBUG/hook.pid")
running() {{  # A window's process that tmux has not waited for has ended, too: tmux misses some.
    read -r STAT 2>/dev/null <"/proc/$PID/stat" && case "${{STAT##*) }}" in [ZX]*) return 1 ;; esac
}}
while running; do
    if ! $T has-session -t "$JUJU_UNIT_NAME" 2>/dev/null; then
        sleep 2
        break
    fi
    sleep 0.2
done
exit "$(cat "$JUJU_DEBUG/hook_exit_status" 2>/dev/null || echo 1)"
"""
