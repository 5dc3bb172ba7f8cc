"""A slow network, without netem: packets wait in a netfilter queue that a small program on the machine empties.

The queue's rules let packets through when nobody reads it: the program's end, for whatever reason, ends the fault,
and systemd ends the program when its time is over.
"""

from __future__ import annotations

from matrix.faults import fault, kinds, shell

_QUEUE = 'QUEUE=$((PICK % 60000 + 1000))\n'

# nft's own `queue` is missing from some kernels that have xt_NFQUEUE; iptables has the latter everywhere.
_EACH = """
each() {
    for tables in iptables ip6tables; do
        "$tables" -w 10 -t mangle "$@" || return 1
    done
}
chain=matrix-$(printf '%s' "$EVENT" | cksum | cut -d ' ' -f 1)
"""

LATENCY = shell.fault_of(
    kinds.unit('latency', ('milliseconds', 20, 400)),
    'what comes to the machine of {target} from others comes late',
    kinds.NETWORK,
    shell.Scripts(
        unable=_EACH
        + """
install_if_missing iptables iptables || exit 0
[ -n "$PEERS" ] || { echo 'no other machine is in the model'; exit 0; }
chain=matrix-try
each -N $chain 2>/dev/null || true
each -A $chain -p tcp -j NFQUEUE --queue-num 9 --queue-bypass 2>/dev/null || echo 'its kernel has no netfilter queue'
each -F $chain; each -X $chain
""",
        prepare=_QUEUE
        + """
keep QUEUE "$QUEUE"
near=$(probe reach 2 9 $PEERS)
[ -n "$near" ] || { echo 'no other machine answers before the fault, so none could be seen late'; exit 1; }
keep NEAR "${near%% *}"
keep BEFORE "$(probe delay 9 "${near%% *}")"
""",
        inject=_EACH
        + """
printf '%s\\n' "$DELAY" >"$STATE/delay.py"
systemd-run --quiet --collect --unit="matrix-delay-$EVENT" --property=RuntimeMaxSec="$DEADMAN" --nice=-10 \\
    python3 "$STATE/delay.py" "$QUEUE" "$MILLISECONDS"
for again in 1 2 3 4 5 6 7 8 9 10; do
    systemctl is-active --quiet "matrix-delay-$EVENT" && break
    sleep 0.1
done
each -N "$chain"
each -A "$chain" -i lo -j RETURN
each -A "$chain" -p tcp -m multiport --ports 22,17070 -j RETURN
iptables -w 10 -t mangle -A "$chain" -j NFQUEUE --queue-num "$QUEUE" --queue-bypass
ip6tables -w 10 -t mangle -A "$chain" -p ipv6-icmp -j RETURN
ip6tables -w 10 -t mangle -A "$chain" -j NFQUEUE --queue-num "$QUEUE" --queue-bypass
each -A INPUT -j "$chain"
""",
        landed="""
now=$(probe delay 9 "$NEAR")
[ "$now" -ge $((BEFORE + MILLISECONDS * 8 / 10)) ] || exit 0
echo "$NEAR answered after $BEFORE ms before, and after $now ms now"
""",
        heal=_EACH
        + """
for tables in iptables ip6tables; do
    for undo in "-D INPUT -j" -F -X; do
        "$tables" -w 10 -t mangle $undo "$chain" 2>/dev/null || true
    done
done
systemctl stop "matrix-delay-$EVENT" 2>/dev/null || true
""",
        healed="""
now=$(probe delay 9 "$NEAR")
[ "$now" -lt $((BEFORE + MILLISECONDS / 2)) ] || exit 0
echo "$NEAR answers after $now ms"
""",
    ),
    defaults={'milliseconds': 100, 'delay': shell.read('delay.py')},
    exclusive='network',
    needs=frozenset({'queue', 'neighbours'}),
    within=(30.0, 60.0),
)

FAULTS: tuple[fault.Fault, ...] = (LATENCY,)
