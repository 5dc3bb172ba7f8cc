"""Machines that start anew: in good order, and as after a power cut. The proof is a new start of the system.

In a container the kernel's boot id is the host's; there the start of process 1 tells one start from another.
"""

from __future__ import annotations

from matrix.faults import fault, kinds, shell

_STARTED = """
started="$(cat /proc/sys/kernel/random/boot_id):$(sed 's/^.*) //' /proc/1/stat | cut -d ' ' -f 20)"
"""
_UP = """
case $(systemctl is-system-running 2>/dev/null || true) in running|degraded) ;; *) exit 0 ;; esac
agent=$(systemctl list-units --type=service --state=running --plain --no-legend 'jujud-machine-*.service')
[ -n "$agent" ] || exit 0
echo "the system and its agent are up, for $(cut -d . -f 1 /proc/uptime) s by the kernel"
"""


def _reboot(name: str, sentence: str, command: str) -> fault.Fault:
    return shell.fault_of(
        kinds.unit(name, hold=(1.0, 5.0)),
        sentence,
        kinds.MACHINE,
        shell.Scripts(
            prepare=_STARTED + 'keep STARTED "$started"\n',
            # A moment later, so that this script is answered first.
            inject=f'systemd-run --quiet --on-active=300ms --timer-property=AccuracySec=10ms {command}\n',
            landed=_STARTED
            + """
[ "$started" != "$STARTED" ] || exit 0
echo "the system has started again: $STARTED before, $started now"
""",
            healed=_UP,
        ),
        exclusive='machine',
        within=(180.0, 300.0),
    )


FAULTS: tuple[fault.Fault, ...] = (
    _reboot('reboot', 'the machine of {target} reboots', 'systemctl reboot'),
    _reboot(
        'hard-stop',
        'the machine of {target} stops as if its power were cut, and starts again',
        'systemctl reboot --force --force',
    ),
)
