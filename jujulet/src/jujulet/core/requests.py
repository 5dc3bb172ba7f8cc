"""What a user can ask of a model: one frozen dataclass a request.

The command line makes them, ``core.change.apply(model, request, now)`` carries them out on the model (pure), the
controller carries them from one to the other as JSON (see ``codec``). ``apply`` raises ``model.Refused`` with the
text that Juju would print. Fields are named as the flags of the commands are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from . import charm as charm_
from . import model as model_
from .modelrequests import AddMachine as AddMachine
from .modelrequests import AddOffer as AddOffer
from .modelrequests import AddRemote as AddRemote
from .modelrequests import AddSecret as AddSecret
from .modelrequests import AddSpace as AddSpace
from .modelrequests import Anything, Strings, empty
from .modelrequests import CreatePool as CreatePool
from .modelrequests import DestroyModel as DestroyModel
from .modelrequests import GrantSecret as GrantSecret
from .modelrequests import GrowSpace as GrowSpace
from .modelrequests import MoveSubnets as MoveSubnets
from .modelrequests import RemoveMachine as RemoveMachine
from .modelrequests import RemoveOffer as RemoveOffer
from .modelrequests import RemovePool as RemovePool
from .modelrequests import RemoveRemote as RemoveRemote
from .modelrequests import RemoveSecret as RemoveSecret
from .modelrequests import RemoveSpace as RemoveSpace
from .modelrequests import RenameSpace as RenameSpace
from .modelrequests import RetryProvisioning as RetryProvisioning
from .modelrequests import SetModelConfig as SetModelConfig
from .modelrequests import SetSshKeys as SetSshKeys
from .modelrequests import SwitchBlock as SwitchBlock
from .modelrequests import UpdatePool as UpdatePool
from .modelrequests import UpdateSecret as UpdateSecret


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddCharm:
    """Register a charm whose folder is in the content store. ``charm.url`` is empty: the answer is its URL.

    The same digest gets the same URL again; bases for which it was not ready yet are added to it.
    """

    charm: charm_.Charm
    fresh: bool = False
    """Another revision whatever its content, as Juju's client makes one of each local charm that it uploads."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deploy:
    """``juju deploy`` of one charm. Answer: ``{"application": name, "units": [names]}``."""

    charm: str
    """URL from :class:`AddCharm`."""
    application: str = ''
    base: str = ''
    num_units: int = 1
    options: Anything = dataclasses.field(default_factory=empty)
    constraints: Anything = dataclasses.field(default_factory=empty)
    bindings: Strings = dataclasses.field(default_factory=empty)
    storage: Strings = dataclasses.field(default_factory=empty)
    """Directives as typed: ``pool,size,count`` in any order."""
    attach_storage: tuple[str, ...] = ()
    resources: Mapping[str, model_.Resource] = dataclasses.field(default_factory=empty)
    to: tuple[str, ...] = ()
    trust: bool = False
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refresh:
    """``juju refresh``."""

    application: str
    charm: str
    base: str = ''
    options: Anything = dataclasses.field(default_factory=empty)
    resources: Mapping[str, model_.Resource] = dataclasses.field(default_factory=empty)
    storage: Strings = dataclasses.field(default_factory=empty)
    bindings: Strings = dataclasses.field(default_factory=empty)
    trust: bool | None = None
    force_units: bool = False
    force_base: bool = False
    force: bool = False
    """Takes a profile that has what is not a charm's to say."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttachResource:
    """``juju attach-resource``."""

    application: str
    resource: model_.Resource


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddUnit:
    """``juju add-unit``. Answer: ``{"units": [names]}``."""

    application: str
    num_units: int = 1
    to: tuple[str, ...] = ()
    """Machine ids, ``lxd``, ``lxd:0``; also a unit's name (``mysql/0``, ``lxd:mysql/0``): the machine it is on."""
    attach_storage: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveUnit:
    """``juju remove-unit``."""

    units: tuple[str, ...]
    destroy_storage: bool = False
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveApplication:
    """``juju remove-application``."""

    applications: tuple[str, ...]
    destroy_storage: bool = False
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Integrate:
    """``juju integrate A[:ep] B[:ep]``. Answer: ``{"relation": id}``."""

    a: str
    b: str
    via: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveRelation:
    """``juju remove-relation A[:ep] B[:ep]``, or by number."""

    a: str = ''
    b: str = ''
    id: int | None = None
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuspendRelation:
    """``juju suspend-relation`` and, with ``resume``, ``juju resume-relation``."""

    ids: tuple[int, ...]
    resume: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetConfig:
    """``juju config APP k=v… --reset a,b``: values arrive as typed and get the option's type here."""

    application: str
    options: Anything = dataclasses.field(default_factory=empty)
    reset: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetConstraints:
    """``juju set-model-constraints`` (no application) and ``juju set-constraints APP``; values already parsed."""

    constraints: Anything
    application: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trust:
    """``juju trust``."""

    application: str
    remove: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetApplicationBase:
    """``juju set-application-base``. Answer: ``{"applications": [names]}``, its subordinates among them."""

    application: str
    base: str
    force: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expose:
    """``juju expose`` and, with ``undo``, ``juju unexpose``."""

    application: str
    endpoints: Anything = dataclasses.field(default_factory=empty)
    undo: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bind:
    """``juju bind APP [default] ep=space…``."""

    application: str
    bindings: Strings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """``juju run UNIT… ACTION``. Answer: ``{"operation": id, "tasks": {unit: task id}}``.

    ``app/leader`` is resolved here; unknown units are refused in the words of ``juju run``.
    """

    receivers: tuple[str, ...]
    action: str
    parameters: Anything = dataclasses.field(default_factory=empty)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exec:
    """``juju exec -- COMMAND``. Answer as :class:`Run`; keys are unit names or machine ids."""

    command: str
    units: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    timeout: float = 300.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class CancelTask:
    """``juju cancel-task``."""

    ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolved:
    """``juju resolved [--no-retry] UNIT…|--all``."""

    units: tuple[str, ...] = ()
    all: bool = False
    retry: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddStorage:
    """``juju add-storage UNIT name=directive``. Answer: ``{"storage": [ids]}``."""

    unit: str
    name: str
    directive: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveStorage:
    """``juju remove-storage`` and ``juju detach-storage`` (``detach``)."""

    ids: tuple[str, ...]
    force: bool = False
    detach: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttachStorage:
    """``juju attach-storage UNIT ID…``."""

    unit: str
    ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotate:
    """Annotations of an application, from a bundle."""

    application: str
    annotations: Strings


Request = (
    AddCharm
    | Deploy
    | Refresh
    | AttachResource
    | AddUnit
    | RemoveUnit
    | RemoveApplication
    | Integrate
    | RemoveRelation
    | SuspendRelation
    | SetConfig
    | SetModelConfig
    | SetConstraints
    | Trust
    | SetApplicationBase
    | Expose
    | Bind
    | AddSpace
    | RemoveSpace
    | RenameSpace
    | GrowSpace
    | MoveSubnets
    | SwitchBlock
    | CreatePool
    | UpdatePool
    | RemovePool
    | AddMachine
    | RemoveMachine
    | RetryProvisioning
    | Run
    | Exec
    | CancelTask
    | Resolved
    | AddSecret
    | UpdateSecret
    | RemoveSecret
    | GrantSecret
    | AddStorage
    | RemoveStorage
    | AttachStorage
    | AddOffer
    | RemoveOffer
    | AddRemote
    | RemoveRemote
    | SetSshKeys
    | Annotate
    | DestroyModel
)
