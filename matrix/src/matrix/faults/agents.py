"""The agent of a machine, and what depends on it: hooks, the leader's lease, the link to the controller.

All of it goes over ssh, never through the agent itself.
"""

from __future__ import annotations

import dataclasses

from matrix.faults import fault, kinds, nftables, shell
from matrix.plans import snapshot

_FIND = """
agent=$(systemctl list-units --all --type=service --plain --no-legend 'jujud-machine-*.service' \\
    | awk '{print $1; exit}')
"""
_UNABLE = _FIND + '[ -n "$agent" ] || echo "no agent of a machine runs there under systemd"\n'
_PREPARE = (
    _FIND
    + """
[ -n "$agent" ]
keep AGENT "$agent"
keep OLD "$(main_pid "$agent")"
"""
)
_RUNS = """
pid=$(main_pid "$AGENT")
[ "${pid:-0}" -gt 0 ] || exit 0
[ "$(state_of "$pid")" != T ] || exit 0
echo "$AGENT runs, as process $pid"
"""

KILL = shell.fault_of(
    kinds.unit('kill-agent', hold=(1.0, 10.0)),
    'the agent of {target} is killed',
    kinds.MACHINE,
    shell.Scripts(
        unable=_UNABLE,
        prepare=_PREPARE,
        inject='kill -KILL "$OLD"\n',
        landed="""
now=$(main_pid "$AGENT")
[ "$now" != "$OLD" ] || exit 0
[ ! -d "/proc/$OLD" ] || exit 0
echo "$AGENT: process $OLD is gone, now ${now:-0}, restarts $(systemctl show --property=NRestarts --value "$AGENT")"
""",
        heal='systemctl is-active --quiet "$AGENT" || systemctl start "$AGENT"\n',
        healed=_RUNS,
    ),
    exclusive='agent',
    needs=frozenset({'agent'}),
)

_STOP = shell.fault_of(
    kinds.unit('depose-leader', hold=(5.0, 20.0), choose=(kinds.UNITS, kinds.LEADER, kinds.ONE)),
    'the agent of the leader {target} is stopped until another leads',
    kinds.MACHINE,
    shell.Scripts(
        unable=_UNABLE,
        prepare=_PREPARE,
        inject='systemctl stop "$AGENT"\n',
        landed='[ "$(systemctl is-active "$AGENT")" != active ] && echo "$AGENT is stopped"\n',
        heal='systemctl start "$AGENT"\n',
        healed=_RUNS,
    ),
    spare=1,
    exclusive='agent',
    needs=frozenset({'agent'}),
    # A leader's lease runs for a minute, and is renewed at half of it; then somebody is chosen.
    within=(120.0, 60.0),
)


def leaders(model: snapshot.Model) -> dict[str, str]:
    """The leader of each application that has one."""
    return {
        unit.application: unit.name
        for one in model.applications
        for unit in one.units
        if unit.leader
    }


def _deposing() -> fault.Fault:
    async def unable(injection: fault.Injection) -> str:
        now = leaders(injection.link.now())
        lonely = [one for one in injection.targets if one not in now.values()]
        return f'{lonely[0]} does not lead' if lonely else await _STOP.unable(injection)

    async def landed(injection: fault.Injection) -> fault.Proof:
        stopped = await _STOP.landed(injection)
        now = leaders(await injection.link.fresh())
        others = [(one, now.get(one.partition('/')[0], '')) for one in injection.targets]
        if not stopped or not all(new and new != old for old, new in others):
            return ''
        return '; '.join(f'{new} leads in place of {old}' for old, new in others)

    return dataclasses.replace(_STOP, unable=unable, landed=landed)


# What an agent does without a network to its controller (a local Juju's is a socket) cannot be cut: there the agent
# is frozen, which is the same for the workload, and the proof says so.
_SEVER = shell.Scripts(
    unable=_UNABLE + nftables.NFT,
    prepare=_PREPARE
    + """
controllers=$(ss -tnpH state established | awk -v p="pid=$OLD," 'index($0, p) {print $4}' \\
    | sed -n 's/:17070$//p' | tr -d '[]' | sed 's/^::ffff://' | sort -u | tr '\\n' ' ')
keep CONTROLLERS "${controllers% }"
""",
    inject=f"""
if [ -z "$CONTROLLERS" ]; then kill -STOP "$OLD"; exit 0; fi
nft -f - <<RULES
table inet $(table) {{
    {nftables.ALIVE}
    chain out {{
        type filter hook output priority -150;
        {nftables.DEAD}
        tcp dport 17070 counter drop
    }}
    chain in {{
        type filter hook input priority -150;
        {nftables.DEAD}
        tcp sport 17070 counter drop
    }}
}}
RULES
""",
    landed="""
if [ -z "$CONTROLLERS" ]; then
    [ "$(state_of "$OLD")" = T ] || exit 0
    echo "the agent has no network to its controller: process $OLD is frozen instead"
    exit 0
fi
left=$(probe reach 1.5 17070 $CONTROLLERS)
count=$(dropped)
[ -z "$left" ] && [ "$count" -gt 0 ] || exit 0
echo "$CONTROLLERS cannot be reached, $count packets dropped"
""",
    heal="""
if [ -z "$CONTROLLERS" ]; then kill -CONT "$OLD" 2>/dev/null || true; exit 0; fi
"""
    + nftables.DELETE,
    healed="""
if [ -n "$CONTROLLERS" ]; then
    no_table || exit 0
    [ -n "$(probe reach 2 17070 $CONTROLLERS)" ] || exit 0
fi
"""
    + _RUNS,
)

FAULTS: tuple[fault.Fault, ...] = (
    KILL,
    _deposing(),
    shell.fault_of(
        kinds.unit('sever-controller'),
        'the controller cannot reach the machine of {target}, nor it the controller',
        kinds.NETWORK,
        _SEVER,
        exclusive='agent',
        needs=frozenset({'agent', 'nft'}),
    ),
)
