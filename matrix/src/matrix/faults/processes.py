"""Services that are killed, stopped, and frozen: any one, or those of a known trade. Scripts over systemd and /proc.

A frozen process is the gray failure: its port still accepts, and nobody answers.
"""

from __future__ import annotations

from matrix.faults import fault, kinds, shell

CHOOSE = """
if [ -n "${PROCESS:-}" ]; then
    keep LISTENS -
else
    choose_service || { echo 'no service was found'; exit 1; }
fi
struck_pids | grep -q . || { echo "${PROCESS:-$SERVICE} does not run"; exit 1; }
"""
UNABLE = """
if [ -n "${PROCESS:-}" ]; then
    struck_pids | grep -q . || echo "no process is called $PROCESS"
else
    choose_service >/dev/null || {
        echo "no service there ${PATTERN:+of those: }${PATTERN:-${WHICH:-listens}}"
        exit 0
    }
    systemctl is-active --quiet "$SERVICE" || echo "$SERVICE does not run"
fi
"""
SAYS_AS_BEFORE = """
now=$(answer)
[ "$now" = "$BEFORE" ] || exit 0
"""
# A condition that does not hold keeps it down whoever starts it, and fails nobody's hook; a mask in /run would not
# count for a unit in /etc. It is gone with the next boot.
_HOLD_DOWN = """
mkdir -p "/run/systemd/system/$SERVICE.d"
printf '[Unit]\\nConditionPathExists=!%s\\n' "$STATE" >"/run/systemd/system/$SERVICE.d/matrix-$EVENT.conf"
systemctl daemon-reload
# Whoever restarts it while it stops takes our job's place, and may do so again: each hook of its charm, say.
for again in 1 2 3 4 5 6; do
    systemctl stop "$SERVICE" && exit 0
done
exit 1
"""
_LET_UP = """
rm -f "/run/systemd/system/$SERVICE.d/matrix-$EVENT.conf"
rmdir "/run/systemd/system/$SERVICE.d" 2>/dev/null || true
systemctl daemon-reload
systemctl start "$SERVICE"
"""

_KILL = shell.Scripts(
    unable=UNABLE,
    prepare=CHOOSE
    + """
keep OLD "$(struck_pids | tr '\\n' ' ')"
keep BEFORE "$(answer)"
""",
    inject="""
for pid in $OLD; do kill -KILL "$pid" 2>/dev/null || true; done
""",
    # A number may be given out anew: what counts is that none of those that ran is there, or that all are others now.
    landed="""
left=0
new=$(struck_pids | tr '\\n' ' ')
for pid in $OLD; do case " $new " in *" $pid "*) left=1 ;; esac; done
[ $left = 0 ] || exit 0
echo "${PROCESS:-$SERVICE}: processes $OLD are gone, now ${new:-none}, restarts \
$(systemctl show --property=NRestarts --value "${SERVICE:-none.service}")"
""",
    heal="""
if [ -n "${SERVICE:-}" ]; then
    systemctl is-active --quiet "$SERVICE" || { systemctl reset-failed "$SERVICE" || true; systemctl start "$SERVICE"; }
fi
""",
    healed='struck_pids | grep -q . || exit 0\n'
    + SAYS_AS_BEFORE
    + 'echo "${PROCESS:-$SERVICE} runs; asked, it is: $now"',
)
_STOP = shell.Scripts(
    unable=UNABLE,
    prepare=CHOOSE + 'keep BEFORE "$(answer)"\n',
    inject=_HOLD_DOWN,
    landed="""
[ -z "$(pids_of "$SERVICE")" ] || exit 0
now=$(answer)
case $now in answered|silent) exit 0 ;; esac
echo "$SERVICE has no process; asked, it was: $BEFORE, is: $now"
""",
    heal=_LET_UP,
    healed='systemctl is-active --quiet "$SERVICE" || exit 0\n'
    + SAYS_AS_BEFORE
    + 'echo "$SERVICE runs; asked, it is: $now"',
)
_FREEZE = shell.Scripts(
    unable=UNABLE,
    prepare=CHOOSE + 'keep BEFORE "$(answer)"\n',
    # Twice: a process may be born between the list and the signal.
    inject="""
for again in 1 2; do
    for pid in $(struck_pids); do kill -STOP "$pid" 2>/dev/null || true; done
done
""",
    landed="""
count=0
for pid in $(struck_pids); do
    [ "$(state_of "$pid")" = T ] || exit 0
    count=$((count + 1))
done
[ $count -gt 0 ] || exit 0
now=$(answer)
[ "$BEFORE" != answered ] || [ "$now" = silent ] || exit 0
echo "${PROCESS:-$SERVICE}: $count process(es) stopped; asked, it was: $BEFORE, is: $now"
""",
    heal='for pid in $(struck_pids); do kill -CONT "$pid" 2>/dev/null || true; done\n',
    healed="""
struck_pids | grep -q . || exit 0
for pid in $(struck_pids); do [ "$(state_of "$pid")" != T ] || exit 0; done
"""
    + SAYS_AS_BEFORE
    + 'echo "${PROCESS:-$SERVICE} goes on; asked, it is: $now"',
)

TRADES = {
    'memcached': 'memcached(@.*)?',
    'database': 'mysql|mysqld|mariadb|mysql-router|postgresql@.*|percona.*',
    'loadbalancer': 'haproxy|nginx|traefik',
}
"""Services of a trade, as a regular expression over names of systemd units."""


WORKER = 'worker'
_WORKERS = {'among': 'workers', 'which': 'has a user of its own and serves no other machine'}
"""What works from a queue listens nowhere: nova-compute, a scheduler, an agent of networks. It is known by that."""


def _needs(trade: str) -> frozenset[str]:
    return frozenset({trade or 'service'})


def _of(trade: str) -> shell.Values:
    if trade == WORKER:
        return _WORKERS
    return {'pattern': TRADES[trade]} if trade else {}


def _kill(name: str, trade: str, sentence: str) -> fault.Fault:
    return shell.fault_of(
        kinds.unit(name, hold=(1.0, 10.0)),
        sentence,
        kinds.PROCESS,
        _KILL,
        defaults=_of(trade),
        exclusive='process',
        needs=_needs(trade),
    )


def _stop(name: str, trade: str, sentence: str) -> fault.Fault:
    return shell.fault_of(
        kinds.unit(name),
        sentence,
        kinds.PROCESS,
        _STOP,
        defaults=_of(trade),
        exclusive='process',
        needs=_needs(trade),
    )


def _freeze(name: str, trade: str, sentence: str) -> fault.Fault:
    return shell.fault_of(
        kinds.unit(name),
        sentence,
        kinds.PROCESS,
        _FREEZE,
        defaults=_of(trade),
        exclusive='process',
        needs=_needs(trade),
    )


_VIP = shell.Scripts(
    unable="""
choose_service >/dev/null || { echo 'nothing there keeps a virtual address'; exit 0; }
[ -n "$(probe virtual)" ] || echo 'no virtual address is on this machine'
""",
    prepare="""
choose_service
keep VIP "$(probe virtual)"
[ -n "$VIP" ] || { echo 'no virtual address is on this machine'; exit 1; }
""",
    # As an operator takes a machine out: its keeper gives the address up, and another must take it.
    inject=_HOLD_DOWN,
    landed="""
for vip in $VIP; do probe holds "$vip" | grep -qx no || exit 0; done
echo "$SERVICE is stopped, and $VIP is no longer on this machine"
""",
    heal=_LET_UP,
    healed="""
systemctl is-active --quiet "$SERVICE" || exit 0
for vip in $VIP; do
    [ "$(probe holds "$vip")" = yes ] || [ "$(probe reach 1 9 "$vip")" = "$vip" ] || exit 0
done
echo "$SERVICE runs, and $VIP is on a machine again"
""",
)

FAULTS: tuple[fault.Fault, ...] = (
    _kill('kill', '', 'a service on {target} is killed'),
    _stop('stop', '', 'a service on {target} is stopped'),
    _freeze('freeze', '', 'a service on {target} is frozen: it accepts and does not answer'),
    _kill('worker-kill', WORKER, 'a daemon on {target} that works for others is killed'),
    _stop('worker-stop', WORKER, 'a daemon on {target} that works for others is stopped'),
    _freeze('worker-freeze', WORKER, 'a daemon on {target} that works for others is frozen'),
    _stop('memcached-stop', 'memcached', 'memcached on {target} is stopped'),
    _freeze('memcached-freeze', 'memcached', 'memcached on {target} is frozen'),
    _stop('database-stop', 'database', 'the database on {target} is stopped'),
    _freeze('database-freeze', 'database', 'the database on {target} is frozen'),
    _stop('loadbalancer-stop', 'loadbalancer', 'the load balancer on {target} is stopped'),
    _freeze('loadbalancer-freeze', 'loadbalancer', 'the load balancer on {target} is frozen'),
    shell.fault_of(
        kinds.unit('vip-loss'),
        'the virtual address leaves {target}',
        kinds.NETWORK,
        _VIP,
        defaults={'pattern': 'keepalived|pacemaker|corosync|ucarp'},
        exclusive='process',
        needs=frozenset({'vip'}),
        within=(30.0, 60.0),
    ),
)
