# What every script of a fault can use. Runs as root on the struck machine; told everything through its environment.
#
# EVENT      the event's id            STATE   the event's folder on this machine, /run/matrix/EVENT
# TARGET     who is struck             PEERS   addresses of everything in the model that is not struck
# HOLD       seconds                   DEADMAN seconds after which the machine heals itself
# PICK       a number that belongs to the event, where one of several things must be chosen
# …          each parameter of the event in capitals, and all that was kept
set -eu
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
STATE=/run/matrix/${EVENT:-none}

keep() {  # keep NAME VALUE: for the scripts that follow, and for the heal.
    export "$1=$2"
    printf 'keep %s=%s\n' "$1" "$2"
}
probe() { python3 -c "$PROBE" "$@"; }
have() { command -v "$1" >/dev/null 2>&1; }
install_if_missing() {  # install_if_missing PROGRAM PACKAGE: says what it could not.
    have "$1" && return 0
    have apt-get || { echo "$1 is not installed, and there is no apt-get here to install $2"; return 1; }
    if said=$(DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=60 install -y -q \
        --no-install-recommends "$2" 2>&1) && have "$1"; then return 0; fi
    echo "$1 is not installed, and $2 could not be installed: $(printf '%s\n' "$said" | sed -n 's/^E: //p' | tail -n 1)"
    return 1
}

# Services. The main process may be anyone's child: the control group knows all that belong together.
main_pid() { systemctl show --property=MainPID --value "$1"; }
pids_of() {  # Every process of the service $1; kernel's answer, not the service's.
    group=$(systemctl show --property=ControlGroup --value "$1")
    [ -n "$group" ] || return 0
    for root in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        if [ -e "$root$group/cgroup.procs" ]; then
            find "$root$group" -name cgroup.procs -exec cat {} + | sort -nu | sed '/^0$/d'
            return 0
        fi
    done
}
struck_pids() { if [ -n "${PROCESS:-}" ]; then pgrep -x -- "$PROCESS" || true; else pids_of "$SERVICE"; fi; }
state_of() { sed 's/^.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || true; }
choose_service() {  # Keeps SERVICE, and LISTENS (host:port, where it listens); nothing where there is none.
    found=$(probe "${AMONG:-services}" "${PATTERN:-}")
    if [ -n "${SERVICE:-}" ]; then
        SERVICE=${SERVICE%.service}.service
        listens=$(printf '%s\n' "$found" | sed -n "s|^$SERVICE ||p" | head -n 1)
    else
        count=$(printf '%s' "$found" | grep -c . || true)
        [ "$count" -gt 0 ] || return 1
        line=$(printf '%s\n' "$found" | sed -n "$((PICK % count + 1))p")
        SERVICE=${line%% *}
        listens=${line#* }
    fi
    keep SERVICE "$SERVICE"
    keep LISTENS "${listens:--}"
}
answer() { if [ "${LISTENS:--}" = - ]; then echo none; else probe answer "${LISTENS%:*}" "${LISTENS##*:}" 1; fi; }

# Rules live in a table of the event's own: to heal is to delete it, and nothing else is touched.
table() { echo "matrix_$(printf %s "$EVENT" | tr -c 'A-Za-z0-9\n' _)"; }
no_table() { ! nft list table inet "$(table)" >/dev/null 2>&1; }
counted() {  # counted WHAT: packets of the rules that end so.
    nft list table inet "$(table)" | sed -n "s/.*counter packets \([0-9]*\) bytes [0-9]* \($1\).*/\1/p" \
        | awk '{n += $1} END {print n + 0}'
}
dropped() { counted 'drop\|reject'; }
