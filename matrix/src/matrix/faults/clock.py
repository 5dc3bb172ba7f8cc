"""A clock that is wrong for one service: libfaketime in front of its C library, and nobody else's clock touched.

The service starts anew twice, into the wrong time and out of it: that is part of the fault. Its monotonic clock is
right all the time, as that of a machine with a wrong date is.
"""

from __future__ import annotations

from matrix.faults import fault, kinds, shell

_LIBRARY = """
library() { ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -n 1; }
"""
# What another program sees that is started exactly so, and what the service itself tells where it speaks HTTP.
_SKEW = """
skew() {
    pid=$(main_pid "$SERVICE")
    grep -q libfaketime "/proc/$pid/maps" 2>/dev/null || { echo 0; return; }
    said=
    [ "$LISTENS" = - ] || said=$(probe skew "${LISTENS%:*}" "${LISTENS##*:}" 2>/dev/null || true)
    [ -n "$said" ] || said=$(( $(xargs -0 -a "/proc/$pid/environ" sh -c \\
        'env -i "$@" date +%s' sh 2>/dev/null </dev/null || date +%s) - $(date +%s) ))
    echo "$said"
}
"""

CLOCK_SKEW = shell.fault_of(
    kinds.unit('clock-skew', ('minutes', 5, 180)),
    'a service on {target} believes that it is another time',
    kinds.CLOCK,
    shell.Scripts(
        unable=_LIBRARY
        + """
choose_service >/dev/null || { echo 'no service listens there'; exit 0; }
[ -n "$(library)" ] || install_if_missing faketime libfaketime || exit 0
[ -n "$(library)" ] || echo 'faketime is installed, but not libfaketime'
""",
        prepare=_LIBRARY
        + """
choose_service
keep LIBRARY "$(library)"
keep BEFORE "$(answer)"
""",
        inject="""
mkdir -p "/run/systemd/system/$SERVICE.d"
cat >"/run/systemd/system/$SERVICE.d/matrix-$EVENT.conf" <<CONF
[Service]
Environment=LD_PRELOAD=$LIBRARY FAKETIME=${MINUTES#-}m FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
CONF
sed -i "s/FAKETIME=/&$( [ "$MINUTES" -lt 0 ] && echo - || echo + )/" "/run/systemd/system/$SERVICE.d/matrix-$EVENT.conf"
systemctl daemon-reload
systemctl restart "$SERVICE"
""",
        landed=_SKEW
        + """
now=$(skew)
wanted=$((MINUTES * 60))
off=$((now - wanted))
[ "${off#-}" -lt 30 ] || exit 0
echo "$SERVICE is $now s from the time of its machine"
""",
        heal="""
rm -f "/run/systemd/system/$SERVICE.d/matrix-$EVENT.conf"
rmdir "/run/systemd/system/$SERVICE.d" 2>/dev/null || true
systemctl daemon-reload
systemctl restart "$SERVICE"
""",
        healed=_SKEW
        + """
systemctl is-active --quiet "$SERVICE" || exit 0
now=$(skew)
[ "${now#-}" -lt 5 ] || exit 0
[ "$(answer)" = "$BEFORE" ] || exit 0
echo "$SERVICE has the time of its machine"
""",
    ),
    defaults={'minutes': 60},
    exclusive='process',
    needs=frozenset({'service', 'faketime'}),
    within=(30.0, 60.0),
)

FAULTS: tuple[fault.Fault, ...] = (CLOCK_SKEW,)
