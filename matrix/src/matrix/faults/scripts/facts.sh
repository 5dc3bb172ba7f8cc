# One word a line for each thing that faults need of a machine; what is missing and can be installed is installed first.
word() { echo "fact $1"; }
[ -d /run/systemd/system ] && word systemd
have python3 && word python3
[ "${INSTALL:-1}" = 0 ] || for each in nft:nftables iptables:iptables faketime:libfaketime; do
    [ "$each" = faketime:libfaketime ] && [ -n "$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null)" ] && continue
    install_if_missing "${each%:*}" "${each#*:}" >/dev/null || true
done
have nft && nft -c -f - 2>/dev/null <<RULES && word nft
table inet matrix_try {
    set four { type ipv4_addr; flags timeout; }
    chain in {
        type filter hook input priority -150;
        ip saddr @four drop
        meta l4proto tcp numgen random mod 100 < 5 counter reject with tcp reset
    }
}
RULES
if have iptables && iptables -w 10 -t mangle -N matrix-try 2>/dev/null; then
    iptables -w 10 -t mangle -A matrix-try -p tcp -j NFQUEUE --queue-num 9 --queue-bypass 2>/dev/null && word queue
    iptables -w 10 -t mangle -F matrix-try
    iptables -w 10 -t mangle -X matrix-try
fi
grep -qw overlay /proc/filesystems && word overlay
[ -n "$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null)" ] && word faketime
[ -n "$(systemctl list-units --all --type=service --plain --no-legend 'jujud-machine-*.service')" ] && word agent
[ -n "$PEERS" ] && word neighbours
server=$(sed -n 's/^nameserver *//p' /etc/resolv.conf | head -n 1)
[ -n "$server" ] && [ "$(probe dns "$server" 3)" = answered ] && word dns
[ -n "$(probe services '')" ] && word service
[ -n "$(probe services "$MEMCACHED")" ] && word memcached
[ -n "$(probe services "$DATABASE")" ] && word database
[ -n "$(probe services "$LOADBALANCER")" ] && word loadbalancer
[ -n "$(probe virtual)" ] && word vip
[ -n "$(data_places)" ] && word data
exit 0
