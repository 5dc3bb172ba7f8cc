"""A memcached that forgets all it knew."""

from __future__ import annotations

from matrix.faults import fault, kinds, shell

_FIND = "PATTERN='memcached(@.*)?'\n"

FLUSH = shell.fault_of(
    kinds.unit('memcached-flush', hold=(1.0, 5.0)),
    'memcached on {target} forgets everything',
    kinds.DATA,
    shell.Scripts(
        unable=_FIND + "choose_service >/dev/null || echo 'no memcached runs there'\n",
        # Something of our own, so that forgetting is seen even where nothing was kept.
        prepare=_FIND
        + """
choose_service
[ "$LISTENS" != - ]
HOST=${LISTENS%:*} PORT=${LISTENS##*:}
[ "$(probe memcached "$HOST" "$PORT" set "matrix-$EVENT" 0 3600 '1\\n1')" = STORED ]
case $(probe memcached "$HOST" "$PORT" get "matrix-$EVENT") in VALUE*) ;; *) exit 1 ;; esac
""",
        inject='[ "$(probe memcached "${LISTENS%:*}" "${LISTENS##*:}" flush_all)" = OK ]\n',
        landed="""
[ "$(probe memcached "${LISTENS%:*}" "${LISTENS##*:}" get "matrix-$EVENT")" = END ] || exit 0
echo 'what was kept before is not known any more'
""",
        healed="""
[ "$(probe memcached "${LISTENS%:*}" "${LISTENS##*:}" set "matrix-$EVENT" 0 1 '1\\n1')" = STORED ] || exit 0
echo 'it keeps what it is given'
""",
    ),
    exclusive='process',
    needs=frozenset({'memcached'}),
)

FAULTS: tuple[fault.Fault, ...] = (FLUSH,)
