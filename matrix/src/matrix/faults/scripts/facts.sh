# One word a line for each thing that faults need of a machine; what is missing and can be installed is installed first.
word() { echo "fact $1"; }
[ -d /run/systemd/system ] && word systemd
library=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null)
missing=
have nft || missing="$missing nftables"
have iptables || missing="$missing iptables"
[ -n "$library" ] || missing="$missing libfaketime"
if [ -n "$missing" ] && [ "${INSTALL:-1}" != 0 ] && have apt-get; then
    for packages in "$missing" $missing; do  # Together, or else those that there are.
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=60 install -y -q --no-install-recommends \
            $packages >/dev/null 2>&1 && [ "$packages" = "$missing" ] && break
    done
    library=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null)
fi
have nft && nft -c -f - 2>/dev/null <<RULES && word nft
table inet matrix_try {
    set alive { typeof meta nfproto; flags timeout; elements = { ipv4 timeout 9s }; }
    chain in {
        type filter hook input priority -150;
        meta nfproto != @alive accept
        meta l4proto tcp numgen random mod 100 < 5 counter reject with tcp reset
    }
}
RULES
if have iptables && iptables -w 10 -t mangle -N matrix-try 2>/dev/null; then
    iptables -w 10 -t mangle -A matrix-try -p tcp -j NFQUEUE --queue-num 9 --queue-bypass 2>/dev/null && word queue
    iptables -w 10 -t mangle -F matrix-try
    iptables -w 10 -t mangle -X matrix-try
fi
# Of memory the service manager must have groups of its own, in either version of control groups.
for file in /sys/fs/cgroup/system.slice/memory.max /sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes; do
    [ -w "$file" ] && word memory-group && break
done
grep -qw overlay /proc/filesystems && word overlay
[ -n "$library" ] && word faketime
[ -n "$PEERS" ] && word neighbours
probe words "memcached=$MEMCACHED" "database=$DATABASE" "loadbalancer=$LOADBALANCER"
exit 0
