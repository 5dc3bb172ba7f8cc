# Take (or renew), or drop, the lease of a model on this machine. Prints `held OWNER SINCE WHOSE` when another has it.
# GONE is an owner whose process is known to be gone: what it holds is free.
place=${PLACE:-/run/matrix-lease-$MODEL}
exec 8>>"$place"
flock 8
now=$(date +%s)
owner= until=0 since= whose=
[ ! -s "$place" ] || read -r owner until since whose <"$place"
if [ "${until:-0}" -gt "$now" ] && [ "$owner" != "$OWNER" ] \
    && [ "$owner" != "${GONE:-}" ]; then
    [ "$WHAT" = drop ] || echo "held $owner $since $whose"
    exit 0
fi
case $WHAT in
    take)
        [ "$owner" = "$OWNER" ] && [ "${until:-0}" -gt "$now" ] || since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
        echo "$OWNER $((now + LEASE)) $since $WHOSE" >"$place" ;;
    drop) : >"$place" ;;
esac
