"""A service that is short of something: memory, descriptors, a quick disk, peace, a valid certificate."""

from __future__ import annotations

from matrix.faults import fault, kinds, shell
from matrix.faults.processes import CHOOSE, SAYS_AS_BEFORE, UNABLE

_GROUP = """
limit_file() {  # The kernel's file for the memory of the service, in either version of control groups.
    group=$(systemctl show --property=ControlGroup --value "$SERVICE")
    for file in "/sys/fs/cgroup$group/memory.max" "/sys/fs/cgroup/memory$group/memory.limit_in_bytes" \\
        "/sys/fs/cgroup/unified$group/memory.max"; do
        [ -e "$file" ] && { echo "$file"; return 0; }
    done
    return 1
}
used() {
    file=$(limit_file) || return 1
    cat "${file%/*}/memory.current" 2>/dev/null || cat "${file%/*}/memory.usage_in_bytes"
}
"""
MEMORY = shell.fault_of(
    kinds.unit('memory-squeeze', ('percent', 90, 50)),
    'a service on {target} gets less memory than it has: a part of it is taken back, or it is killed',
    kinds.DATA,
    shell.Scripts(
        unable=UNABLE
        + _GROUP
        + """
choose_service >/dev/null || exit 0
limit_file >/dev/null || { echo "the memory of $SERVICE has no control group of its own there"; exit 0; }
[ -w "$(limit_file)" ] || echo 'its control group of memory cannot be written there'
""",
        prepare=CHOOSE
        + _GROUP
        + """
keep BEFORE "$(answer)"
keep FILE "$(limit_file)"
keep WAS "$(cat "$(limit_file)")"
keep USED "$(used)"
keep LIMIT "$(($(used) * PERCENT / 100))"
""",
        inject='systemctl set-property --runtime "$SERVICE" MemoryMax="$LIMIT"\n',
        landed="""
now=$(cat "$FILE" 2>/dev/null) || exit 0
case $now in max) exit 0 ;; esac
[ "$now" -le "$LIMIT" ] || exit 0
echo "$SERVICE had $USED bytes of memory, and may have $now"
""",
        heal="""
systemctl set-property --runtime "$SERVICE" MemoryMax=infinity
rm -f "/run/systemd/system.control/$SERVICE.d/50-MemoryMax.conf"
systemctl daemon-reload
systemctl is-active --quiet "$SERVICE" || { systemctl reset-failed "$SERVICE" || true; systemctl start "$SERVICE"; }
""",
        healed=_GROUP
        + """
systemctl is-active --quiet "$SERVICE" || exit 0
now=$(cat "$(limit_file)" 2>/dev/null) || exit 0
case $now in max) ;; *) [ "$now" -gt "$LIMIT" ] || exit 0 ;; esac
free=$now
"""
        + SAYS_AS_BEFORE
        + 'echo "$SERVICE may have $free bytes again; asked, it is: $now"',
    ),
    defaults={'percent': 80},
    exclusive='process',
    needs=frozenset({'service', 'memory-group'}),
    asked=True,
)

DESCRIPTORS = shell.fault_of(
    kinds.unit('descriptors-squeeze'),
    'a service on {target} can open nothing more: no file, no connection',
    kinds.DATA,
    shell.Scripts(
        unable=UNABLE + 'have prlimit || echo "prlimit is not installed there"\n',
        prepare=CHOOSE
        + """
keep BEFORE "$(answer)"
limits=
for pid in $(struck_pids); do
    soft=$(awk '/^Max open files/ {print $4}' "/proc/$pid/limits" 2>/dev/null) || continue
    limits="$limits $pid:$soft"
done
keep LIMITS "${limits# }"
""",
        # A descriptor has the lowest free number: the limit is one above the highest that is in use.
        inject="""
for one in $LIMITS; do
    pid=${one%:*}
    highest=$(ls "/proc/$pid/fd" 2>/dev/null | sort -n | tail -n 1)
    [ -z "$highest" ] || prlimit --pid "$pid" --nofile="$((highest + 1)):" || exit 1
done
""",
        landed="""
said=
for one in $LIMITS; do
    pid=${one%:*}
    now=$(awk '/^Max open files/ {print $4}' "/proc/$pid/limits" 2>/dev/null) || continue
    [ "$now" -lt "${one#*:}" ] || exit 0
    said="$pid may open $now (before ${one#*:}), and has $(ls "/proc/$pid/fd" | wc -l)"
done
[ -z "$said" ] || echo "$SERVICE: process $said"
""",
        heal="""
for one in $LIMITS; do
    [ ! -e "/proc/${one%:*}" ] || prlimit --pid "${one%:*}" --nofile="${one#*:}:" || [ ! -e "/proc/${one%:*}" ]
done
systemctl is-active --quiet "$SERVICE" || { systemctl reset-failed "$SERVICE" || true; systemctl start "$SERVICE"; }
""",
        healed="""
struck_pids | grep -q . || exit 0
for one in $LIMITS; do
    now=$(awk '/^Max open files/ {print $4}' "/proc/${one%:*}/limits" 2>/dev/null) || continue
    [ "$now" = "${one#*:}" ] || exit 0
done
"""
        + SAYS_AS_BEFORE
        + 'echo "$SERVICE may open as much as before; asked, it is: $now"',
    ),
    exclusive='process',
    needs=frozenset({'service'}),
    asked=True,
)

STORM = shell.fault_of(
    kinds.unit('restart-storm', ('times', 4, 10)),
    'a service on {target} is restarted again and again, with a second between',
    kinds.PROCESS,
    shell.Scripts(
        unable=UNABLE,
        prepare=CHOOSE
        + """
keep OLD "$(main_pid "$SERVICE")"
keep BEFORE "$(answer)"
""",
        inject="""
systemd-run --quiet --collect --unit="matrix-storm-$EVENT" sh -c '
    n=0
    while [ $n -lt "$1" ]; do
        systemctl reset-failed "$2" 2>/dev/null
        systemctl restart "$2"
        n=$((n + 1)); echo $n >"$3/restarts"; sleep 1
    done' sh "$TIMES" "$SERVICE" "$STATE"
""",
        landed="""
n=$(cat "$STATE/restarts" 2>/dev/null || echo 0)
[ "$n" -ge 2 ] || exit 0
now=$(main_pid "$SERVICE")
[ "$now" != "$OLD" ] || exit 0
echo "$SERVICE was restarted $n times so far, its process was $OLD, is $now"
""",
        heal="""
systemctl stop "matrix-storm-$EVENT.service" 2>/dev/null || true
systemctl is-active --quiet "$SERVICE" || { systemctl reset-failed "$SERVICE" || true; systemctl start "$SERVICE"; }
""",
        healed='systemctl is-active --quiet "$SERVICE" || exit 0\n'
        'systemctl is-active --quiet "matrix-storm-$EVENT.service" && exit 0\n'
        + SAYS_AS_BEFORE
        + 'echo "$SERVICE runs; asked, it is: $now"',
    ),
    defaults={'times': 6},
    exclusive='process',
    needs=frozenset({'service'}),
    within=(60.0, 60.0),
    asked=True,
)

_MEASURE = """
kept() {  # Milliseconds that it takes to keep 4 KiB, the middle of nine.
    python3 - "$DIRECTORY" <<'PY'
import os, sys, time
path = os.path.join(sys.argv[1], '.matrix-measure')
found = []
for _ in range(9):
    began = time.monotonic()
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(file, b'x' * 4096); os.fsync(file); os.close(file)
    found.append(time.monotonic() - began)
os.unlink(path)
print(f'{sorted(found)[4] * 1000:.2f}')
PY
}
"""
_FIND = """
find_directory() {
    [ -n "${DIRECTORY:-}" ] || {
        places=$(probe data)
        count=$(printf '%s' "$places" | grep -c . || true)
        [ "$count" -gt 0 ] || return 1
        place=$(printf '%s\\n' "$places" | sed -n "$((PICK % count + 1))p")
        DIRECTORY=${place#* }
    }
    [ -d "$DIRECTORY" ]
}
"""
DISK_SLOW = shell.fault_of(
    kinds.unit('disk-slow'),
    'another process on {target} keeps the disk busy where a service has its data',
    kinds.DATA,
    shell.Scripts(
        unable=_FIND
        + 'find_directory || echo "no directory below /var/lib belongs to a service there; say which: directory"\n',
        prepare=_FIND
        + _MEASURE
        + 'find_directory\nkeep DIRECTORY "$DIRECTORY"\nkeep WAS "$(kept)"\n',
        inject="""
mkdir -p "$DIRECTORY/.matrix-slow-$EVENT"
systemd-run --quiet --collect --unit="matrix-slow-$EVENT" sh -c '
    for n in 1 2 3 4; do
        while :; do dd if=/dev/zero of="$1/$n" bs=256k count=8 oflag=dsync conv=notrunc 2>/dev/null; done &
    done; wait' sh "$DIRECTORY/.matrix-slow-$EVENT"
""",
        landed=_MEASURE
        + """
now=$(kept)
python3 -c "import sys; sys.exit(not float('$now') >= max(3 * float('$WAS'), 5))" || exit 0
echo "to keep 4 KiB in $DIRECTORY took $WAS ms, and takes $now ms"
""",
        heal="""
systemctl stop "matrix-slow-$EVENT.service" 2>/dev/null || true
rm -rf "$DIRECTORY/.matrix-slow-$EVENT"
""",
        healed=_MEASURE
        + """
systemctl is-active --quiet "matrix-slow-$EVENT.service" && exit 0
[ ! -e "$DIRECTORY/.matrix-slow-$EVENT" ] || exit 0
echo "nothing keeps the disk busy any more: to keep 4 KiB takes $(kept) ms"
""",
    ),
    exclusive='disk',
    needs=frozenset({'data'}),
    within=(60.0, 60.0),
    asked=True,
)

CERTIFICATE = shell.fault_of(
    kinds.unit('certificate-expired'),
    'the certificate of a service on {target} has run out',
    kinds.CLOCK,
    shell.Scripts(
        unable="""
[ -n "${CERTIFICATE:-}" ] && [ -n "${KEY:-}" ] && [ -n "${SERVICE:-}" ] || {
    echo 'say certificate, key and service: which files, and who reads them'; exit 0; }
have openssl || { echo 'openssl is not installed there'; exit 0; }
openssl x509 -in "$CERTIFICATE" -noout -checkend 0 >/dev/null 2>&1 \\
    || echo "$CERTIFICATE is no certificate that is valid"
""",
        prepare="""
keep WAS "$(openssl x509 -in "$CERTIFICATE" -noout -fingerprint -sha256)"
cp -p "$CERTIFICATE" "$STATE/certificate"
""",
        # Of the same subject and names, for the same key; it was valid for a day, years ago.
        inject="""
subject=$(openssl x509 -in "$CERTIFICATE" -noout -subject -nameopt compat | sed 's/^subject=//')
openssl req -new -key "$KEY" -subj "${subject:-/CN=expired}" -out "$STATE/request"
mkdir -p "$STATE/ca"; : >"$STATE/ca/index"; echo 01 >"$STATE/ca/serial"
cat >"$STATE/ca/conf" <<CONF
[ca]
default_ca = x
[x]
database = $STATE/ca/index
serial = $STATE/ca/serial
new_certs_dir = $STATE/ca
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = optional
CONF
openssl ca -batch -notext -selfsign -config "$STATE/ca/conf" -keyfile "$KEY" -in "$STATE/request" \
    -out "$STATE/expired" -startdate 20200101000000Z -enddate 20200102000000Z 2>/dev/null
cat "$STATE/expired" >"$CERTIFICATE"
systemctl reload-or-restart "$SERVICE"
""",
        landed="""
openssl x509 -in "$CERTIFICATE" -noout -checkend 0 >/dev/null 2>&1 && exit 0
systemctl is-active --quiet "$SERVICE" || exit 0
echo "$CERTIFICATE ran out: $(openssl x509 -in "$CERTIFICATE" -noout -enddate)"
""",
        heal="""
[ ! -e "$STATE/certificate" ] || cat "$STATE/certificate" >"$CERTIFICATE"
systemctl reload-or-restart "$SERVICE"
""",
        healed="""
[ "$(openssl x509 -in "$CERTIFICATE" -noout -fingerprint -sha256)" = "$WAS" ] || exit 0
systemctl is-active --quiet "$SERVICE" || exit 0
echo "$SERVICE has its certificate again"
""",
    ),
    exclusive='process',
    asked=True,
)

FAULTS: tuple[fault.Fault, ...] = (MEMORY, DESCRIPTORS, STORM, DISK_SLOW)
ONLY_IN_PLANS: tuple[fault.Fault, ...] = (CERTIFICATE,)
