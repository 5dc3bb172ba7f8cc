"""Networks that are cut, deaf, lossy, slow, that reset connections or lose their name server.

Rules live in an nft table of the event's own, which the kernel itself lets expire; ssh, the controller's port,
neighbour discovery and the machine's talk with itself are left alone.
"""

from __future__ import annotations

from matrix.faults import fault, kinds, nftables, shell

_HAS_PEERS = """
[ -n "$PEERS" ] || { echo 'no other machine is in the model'; exit 0; }
"""
_REACHED = """
keep REACHED "$(probe reach 2 9 $PEERS)"
[ -n "$REACHED" ] || { echo 'no other machine answers before the fault, so none could be seen lost'; exit 1; }
"""


def _split(direction: str) -> shell.Scripts:
    """Drops what comes from the peers; with 'both', what goes to them as well."""
    verdict = 'drop' if direction == 'both' else 'comment "leaves"'
    return shell.Scripts(
        unable=nftables.NFT + _HAS_PEERS,
        prepare=_REACHED,
        inject=f"""
elements() {{ for one in $PEERS; do case $one in *:*) kind=6 ;; *) kind=4 ;; esac
    [ $kind != "$1" ] || printf '%s, ' "$one"; done; }}
four=$(elements 4)
six=$(elements 6)
[ -z "$four" ] || four="elements = {{ $four }}"
[ -z "$six" ] || six="elements = {{ $six }}"
nft -f - <<RULES
table inet $(table) {{
    {nftables.ALIVE}
    set four {{ type ipv4_addr; $four; }}
    set six {{ type ipv6_addr; $six; }}
    chain in {{
        type filter hook input priority -150;
        {nftables.SPARED}
        ip saddr @four counter drop
        ip6 saddr @six counter drop
    }}
    chain out {{
        type filter hook output priority -150;
        {nftables.SPARED_OUT}
        ip daddr @four counter {verdict}
        ip6 daddr @six counter {verdict}
        ip daddr 224.0.0.0/4 counter {verdict}
        ip6 daddr ff00::/8 counter {verdict}
    }}
}}
RULES
""",
        landed="""
left=$(probe reach 1.5 9 $REACHED)
count=$(dropped)
[ -z "$left" ] && [ "$count" -gt 0 ] || exit 0
said="$(echo $REACHED | wc -w) addresses answered before and none does now; $count packets dropped"
"""
        + (
            ''
            if direction == 'both'
            else """
sent=$(counted 'comment "leaves"')
[ "$sent" -gt 0 ] || exit 0
said="$said, $sent have left"
"""
        )
        + 'echo "$said"\n',
        heal=nftables.DELETE,
        healed="""
no_table || exit 0
[ "$(probe reach 2 9 $REACHED)" = "$REACHED" ] || exit 0
echo "$(echo $REACHED | wc -w) addresses answer again"
""",
    )


def _incoming(*lines: str) -> str:
    """The command that loads these rules for what comes in."""
    body = '\n        '.join(lines)
    return f"""
nft -f - <<RULES
table inet $(table) {{
    {nftables.ALIVE}
    chain in {{
        type filter hook input priority -150;
        {body}
    }}
}}
RULES
"""


_LOSS = shell.Scripts(
    unable=nftables.NFT + _HAS_PEERS,
    prepare=_REACHED,
    inject=_incoming(nftables.SPARED, 'numgen random mod 100 < $PERCENT counter drop'),
    landed="""
lost=$(probe lost 0.4 9 40 ${REACHED%% *})
count=$(dropped)
[ "$lost" -gt 0 ] && [ "$count" -gt 0 ] || exit 0
echo "$lost of 40 connections were not answered within 0.4 s; $count packets dropped"
""",
    heal=nftables.DELETE,
    healed="""
no_table || exit 0
[ "$(probe lost 1 9 40 ${REACHED%% *})" = 0 ] || exit 0
echo 'all of 40 connections were answered'
""",
)

# On a port of a service that listens here, for all who ask for it, this machine included.
_RESETS = shell.Scripts(
    unable=nftables.NFT
    + """
[ -n "${PORT:-}" ] || choose_service >/dev/null || echo 'no service listens there'
""",
    prepare="""
if [ -n "${PORT:-}" ]; then keep LISTENS "127.0.0.1:$PORT"; else choose_service; keep PORT "${LISTENS##*:}"; fi
[ "$(answer)" = answered ] || { echo "what listens on port $PORT did not answer before the fault"; exit 1; }
""",
    inject=_incoming(
        nftables.DEAD,
        'tcp dport $PORT numgen random mod 100 < $PERCENT counter reject with tcp reset',
    ),
    landed="""
seen=$(probe resets "${LISTENS%:*}" "$PORT" 20)
count=$(dropped)
[ "$seen" -gt 0 ] && [ "$count" -gt 0 ] || exit 0
echo "$seen of 20 connections to port $PORT were reset; $count packets refused"
""",
    heal=nftables.DELETE,
    healed="""
no_table || exit 0
[ "$(probe resets "${LISTENS%:*}" "$PORT" 10)" = 0 ] || exit 0
echo "none of 10 connections to port $PORT was reset"
""",
)

_DNS = shell.Scripts(
    unable=nftables.NFT
    + """
server=$(sed -n 's/^nameserver *//p' /etc/resolv.conf | head -n 1)
[ -n "$server" ] || { echo 'it has no name server'; exit 0; }
[ "$(probe dns "$server" 3)" = answered ] || echo "its name server $server does not answer"
""",
    prepare='keep SERVER "$(sed -n \'s/^nameserver *//p\' /etc/resolv.conf | head -n 1)"\n',
    # No exception for the machine's own resolver: that is how programs ask. A resolver's cache is out of reach too.
    inject=f"""
if [ "$REFUSE" = 1 ]; then what='counter reject'; else what='counter drop'; fi
nft -f - <<RULES
table inet $(table) {{
    {nftables.ALIVE}
    chain out {{
        type filter hook output priority -150;
        {nftables.DEAD}
        meta l4proto {{ tcp, udp }} th dport 53 $what
    }}
}}
RULES
""",
    landed="""
[ "$(probe dns "$SERVER" 1.5)" = silent ] || exit 0
count=$(dropped)
[ "$count" -gt 0 ] || exit 0
echo "$SERVER answered before and does not now; $count packets dropped"
""",
    heal=nftables.DELETE,
    healed="""
no_table || exit 0
[ "$(probe dns "$SERVER" 3)" = answered ] || exit 0
echo "$SERVER answers again"
""",
)

FAULTS: tuple[fault.Fault, ...] = (
    shell.fault_of(
        kinds.unit('netsplit'),
        'the machine of {target} and all others no longer hear each other',
        kinds.NETWORK,
        _split('both'),
        exclusive='network',
        needs=frozenset({'nft', 'neighbours'}),
    ),
    shell.fault_of(
        kinds.unit('netsplit-minority', choose=(kinds.UNITS, kinds.MINORITY)),
        'a minority of an application, {target}, is cut off from all others',
        kinds.NETWORK,
        _split('both'),
        spare=2,
        exclusive='network',
        needs=frozenset({'nft', 'neighbours'}),
    ),
    shell.fault_of(
        kinds.unit('netsplit-deaf'),
        'the machine of {target} is heard by all others, and hears none',
        kinds.NETWORK,
        _split('in'),
        exclusive='network',
        needs=frozenset({'nft', 'neighbours'}),
    ),
    shell.fault_of(
        kinds.unit('loss', ('percent', 5, 40)),
        'the machine of {target} loses a part of all packets that come in',
        kinds.NETWORK,
        _LOSS,
        defaults={'percent': 20},
        exclusive='network',
        needs=frozenset({'nft', 'neighbours'}),
    ),
    shell.fault_of(
        kinds.unit('resets', ('percent', 5, 50)),
        'connections to a service on {target} are reset',
        kinds.NETWORK,
        _RESETS,
        defaults={'percent': 30},
        exclusive='network',
        needs=frozenset({'nft', 'service'}),
    ),
    shell.fault_of(
        kinds.unit('dns-loss'),
        'the machine of {target} gets no answer from its name server',
        kinds.NETWORK,
        _DNS,
        defaults={'refuse': 0},
        exclusive='network',
        needs=frozenset({'nft', 'dns'}),
    ),
)
