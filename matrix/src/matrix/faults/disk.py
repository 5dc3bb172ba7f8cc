"""A full disk for one directory, without filling any: what is written there fails with ENOSPC, what is read is there.

The directory is covered by an overlay whose upper half is a file system that has no room from the start, so nothing
new can be kept there, and nothing is lost when the cover is lifted. What a process had open before stays open: a
database that keeps its files open meets the fault at its next new file. The disk itself, which a container shares
with its host, is never filled.
"""

from __future__ import annotations

from matrix.faults import fault, kinds, shell

# In the machine's own view and in that of a service that has another (PrivateTmp=, ProtectSystem=).
_VIEWS = """
views() {  # A process for each view of the file system that counts.
    seen=' '
    for pid in 1 ${SERVICE:+$(pids_of "$SERVICE")}; do
        view=$(readlink "/proc/$pid/ns/mnt" 2>/dev/null) || continue
        case $seen in *" $view "*) ;; *) seen="$seen$view "; echo "$pid" ;; esac
    done
}
writes() {  # writes PID: whether a file can be made there, as that process sees it.
    nsenter --target "$1" --mount sh -c 'f="$1/.matrix-$$"; (printf x >"$f") 2>/dev/null && rm -f "$f"' sh "$DIRECTORY"
}
why() { nsenter --target "$1" --mount sh -c '(printf x >"$1/.matrix-$$") 2>&1 | sed "s/.*: //"' sh "$DIRECTORY"; }
"""
_FIND = (
    _VIEWS
    + """
find_directory() {
    if [ -z "${DIRECTORY:-}" ]; then
        places=$(probe data)
        count=$(printf '%s' "$places" | grep -c . || true)
        [ "$count" -gt 0 ] || return 1
        place=$(printf '%s\\n' "$places" | sed -n "$((PICK % count + 1))p")
        SERVICE=${place%% *}
        DIRECTORY=${place#* }
        keep SERVICE "$SERVICE"
    fi
    [ -d "$DIRECTORY" ]
}
"""
)

DISK_FULL = shell.fault_of(
    kinds.unit('disk-full'),
    'there is no room for anything new where a service on {target} keeps its data',
    kinds.DATA,
    shell.Scripts(
        unable=_FIND
        + """
find_directory >/dev/null || {
    echo 'no directory below /var/lib belongs to a service there; say which: directory'
    exit 0
}
case $DIRECTORY in /|/run|/run/*|/proc/*|/sys/*|/dev/*|/etc|/usr|/bin|/var|/var/lib)
    echo "$DIRECTORY is more than a service's"; exit 0 ;;
esac
grep -qw overlay /proc/filesystems || echo 'its kernel has no overlay file system'
""",
        prepare=_FIND
        + """
find_directory
keep DIRECTORY "$DIRECTORY"
writes 1 || { echo "$DIRECTORY cannot be written to before the fault"; exit 1; }
""",
        inject=_VIEWS
        + """
mkdir -p "$STATE/full"
for view in $(views); do
    nsenter --target "$view" --mount sh -eu -c '
        mkdir -p "$2"
        mount -t tmpfs -o mode=0700,size=64k,nr_inodes=16 matrix "$2"
        mkdir "$2/upper" "$2/work"
        chmod --reference="$1" "$2/upper"
        chown --reference="$1" "$2/upper"
        mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" matrix-full "$1"
        dd if=/dev/zero of="$2/full" bs=4k count=64 2>/dev/null || true
        i=0; while [ $i -lt 32 ] && touch "$2/full.$i" 2>/dev/null; do i=$((i + 1)); done
    ' sh "$DIRECTORY" "$STATE/full"
done
""",
        landed=_VIEWS
        + """
for view in $(views); do ! writes "$view" || exit 0; done
case $(why 1) in *'No space left'*) echo "nothing can be written to $DIRECTORY: no space left on device" ;; esac
""",
        heal=_VIEWS
        + """
for view in $(views); do
    nsenter --target "$view" --mount sh -c '
        while awk -v d="$1" "\\$2 == d && \\$1 == \\"matrix-full\\" {f = 1} END {exit !f}" /proc/self/mounts; do
            umount -l "$1" || exit 1
        done
        umount -l "$2" 2>/dev/null || true
    ' sh "$DIRECTORY" "$STATE/full"
done
""",
        healed=_VIEWS
        + """
for view in $(views); do writes "$view" || exit 0; done
echo "$DIRECTORY can be written to"
""",
    ),
    exclusive='disk',
    needs=frozenset({'data', 'overlay'}),
)

FAULTS: tuple[fault.Fault, ...] = (DISK_FULL,)
