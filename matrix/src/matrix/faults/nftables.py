"""What all tables of rules have in common: they end by themselves, and they spare the way in."""

from __future__ import annotations

NFT = 'install_if_missing nft nftables || exit 0\n'
"""In `unable`: nft must be there."""

ALIVE = """\
set alive {
        typeof meta nfproto; flags timeout
        elements = { ipv4 timeout ${DEADMAN}s, ipv6 timeout ${DEADMAN}s }
    }"""
"""The set that a table lives by: the kernel empties it in time, with no process and no network needed."""

DEAD = 'meta nfproto != @alive accept'
"""First rule of every chain: when the set is empty, nothing of the table counts any more."""

SPARED = f"""\
{DEAD}
        iif lo accept
        icmpv6 type {{
            nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert
        }} accept
        tcp dport {{ 22, 17070 }} accept
        tcp sport {{ 22, 17070 }} accept"""
"""First rules of a chain of what comes in: the machine's talk with itself, ssh, and the controller are left alone."""

SPARED_OUT = SPARED.replace('iif', 'oif')
"""The same for what goes out."""

DELETE = 'no_table || nft delete table inet "$(table)"\n'
"""To heal is to delete the event's own table, and no other."""
