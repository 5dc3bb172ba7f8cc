# Undo every fault that is armed on this machine; says each, and is content when there is none.
# KEEP_LEASE: whoever asks holds the lease. MATRIX_MODEL: faults of this model alone (plain processes share a /run).
failed=0
for heal in /run/matrix/*/heal; do
    [ -e "$heal" ] || continue
    state=${heal%/*}
    event=${state##*/}
    if [ -n "${MATRIX_MODEL:-}" ] && [ -s "$state/model" ] && [ "$(cat "$state/model")" != "$MATRIX_MODEL" ]; then
        continue
    fi
    if sh "$heal" </dev/null >/dev/null 2>&1; then
        systemctl stop "matrix-heal-$event.timer" 2>/dev/null || true
        rm -rf "$state"
        echo "healed $event"
    else
        echo "failed $event"
        failed=1
    fi
done
rmdir /run/matrix 2>/dev/null || true
[ -n "${KEEP_LEASE:-}" ] || rm -f /run/matrix-lease-*
exit $failed
