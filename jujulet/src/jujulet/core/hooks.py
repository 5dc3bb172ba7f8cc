"""Names of hooks, and how an agent speaks of them. Source: ``charm/hooks`` of Juju 3.6."""

from __future__ import annotations

from .model import Hook

RELATION = frozenset(
    f'relation-{what}' for what in ('created', 'joined', 'changed', 'departed', 'broken')
)
SECRET = frozenset(f'secret-{what}' for what in ('changed', 'rotate', 'expired', 'remove'))
STORAGE = frozenset(('storage-attached', 'storage-detaching'))
TASKS = frozenset(('action', 'exec'))


def name(hook: Hook) -> str:
    """The name under which a charm knows a hook: ``db-relation-changed``, ``data-storage-attached``.

    Actions and commands are no hooks: theirs is empty, as ``JUJU_HOOK_NAME`` is.
    """
    if hook.kind in RELATION:
        return f'{hook.endpoint}-{hook.kind}'
    if hook.kind in STORAGE:
        return f'{hook.storage.partition("/")[0]}-{hook.kind}'
    return '' if hook.kind in TASKS else hook.kind


def running(hook: Hook, task: str = '') -> str:
    """Message of an agent that is ``executing``; *task* names the action."""
    if hook.kind == 'action':
        return f'running action {task}'.rstrip()
    if hook.kind == 'exec':
        return 'running commands'
    return f'running {name(hook)} hook'
