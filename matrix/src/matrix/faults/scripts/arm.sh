# Leave on the machine what undoes the fault, and a timer of the machine's own that does so.
[ ! -e "$STATE/heal" ] || sh "$STATE/heal"  # An earlier run was killed here; begin from nothing.
umask 077
mkdir -p /run/matrix
rm -rf "$STATE"
mkdir "$STATE"
printf '%s\n' "${MATRIX_MODEL:-}" >"$STATE/model"
prepare
unit=matrix-heal-$EVENT
undo=$UNDO
unset UNDO PROBE
printf '%s\n' "$undo" >"$STATE/undo"
export -p >"$STATE/environment"
cat >"$STATE/heal" <<'HEAL'
# Undoes one fault: run by the runner, by the timer, by `juju matrix heal`; once.
state=${0%/*}
exec 9>"$state/lock"
flock 9
[ ! -e "$state/undone" ] || exit 0
. "$state/environment"
sh "$state/undo" </dev/null || exit 1
touch "$state/undone"
HEAL
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || true
systemd-run --quiet --collect --unit="$unit" --on-active="${DEADMAN}s" --timer-property=AccuracySec=100ms \
    --property=Restart=on-failure --property=RestartSec=2s /bin/sh "$STATE/heal"
systemctl is-active --quiet "$unit.timer"
