"""Offers to other models, and what is consumed from them."""

from __future__ import annotations

from typing import Any

from .. import codec
from ..core import listings, requests
from ..core import model as model_
from . import command, home
from .command import Call, Command, Flag


def _offer(call: Call) -> None:
    home.check_controller(call['controller'])
    target, colon, ends = call.args[0].partition(':')
    endpoints = command.commas(ends)
    if not colon or not endpoints:
        raise command.usage_error(
            f'endpoints must conform to format "<application-name>:<endpoint-name>[,...]", got "{call.args[0]}"'
        )
    owner, _, application = target.rpartition('.')
    model = home.resolve_model(owner) if owner else call.model
    name = (*call.args, '')[1]
    reply = call.controller.change(
        model, requests.AddOffer(application=application, endpoints=endpoints, name=name)
    )
    listed = ', '.join(endpoints)
    url = reply.get('url', f'{model}.{name or application}') if reply else ''
    call.say(f'Application "{application}" endpoints [{listed}] available at "{url}"')


def split_url(url: str) -> tuple[str, str]:
    """``[controller:][user/]model.offer`` → (model string, offer). Raises ``model.Refused``."""
    controller, _, rest = url.rpartition(':')
    home.check_controller(controller)
    model, dot, offer = rest.rpartition('.')
    if not dot or not model or not offer:
        raise command.usage_error(
            f'offer URL has invalid form, must be [<user/]<model>.<appname>: "{url}"'
        )
    return model, offer


def _there(call: Call, url: str) -> tuple[model_.Model, model_.Offer]:
    """The model that offers, and the offer. Raises ``model.Refused``."""
    name, offer = split_url(url)
    there = codec.decode(model_.Model, call.controller.ask('whole-model', model=name))
    if offer not in there.offers:
        raise model_.Refused(f'application offer "{there.owner}/{there.name}.{offer}" not found')
    return there, there.offers[offer]


def consume(call: Call, url: str, alias: str = '') -> dict[str, Any]:
    """Make what *url* offers an application of this model. Raises ``model.Refused``."""
    there, offer = _there(call, url)
    name = alias or offer.name
    declared = there.charm_of(offer.application).relations
    ends = tuple(
        model_.Endpoint(name, e, declared[e].role, declared[e].interface, declared[e].scope)
        for e in offer.endpoints
    )
    remote = model_.RemoteApplication(
        name=name,
        url=f'{there.owner}/{there.name}.{offer.name}',
        endpoints=ends,
        model=there.uuid,
        application=offer.application,
    )
    return call.change(requests.AddRemote(remote=remote))


def _consume(call: Call) -> None:
    alias = (*call.args, '')[1]
    consume(call, call.args[0], alias)
    model, offer = split_url(call.args[0])
    call.say(f'Added {model}.{offer} as {alias or offer}')


def _offers(call: Call) -> None:
    value = {
        name: offer
        for name, offer in listings.offers(call.fetch_model()).items()
        if (not call.args or name == call.args[0])
        and call['application'] in ('', offer['application'])
        and (
            not call['interface']
            or any(e['interface'] == call['interface'] for e in offer['endpoints'].values())
        )
    }
    call.show(
        value,
        lambda colour: (
            listings.offers_table(value, colour) if value else 'No offers to display.\n'
        ),
    )


def _all_offers(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for listed in call.controller.ask('models'):
        encoded = call.controller.ask('whole-model', model=listed['uuid'])
        for offer in listings.offers(codec.decode(model_.Model, encoded)).values():
            found[f'{home.CONTROLLER}:{offer["offer-url"]}'] = offer
    return found


def _find(call: Call) -> None:
    wanted = call.args[0].rpartition(':')[2] if call.args else call['url'].rpartition(':')[2]
    value = {
        url: offer
        for url, offer in _all_offers(call).items()
        if (not wanted or wanted in offer['offer-url'])
        and (not call['offer'] or offer['offer-url'].endswith('.' + call['offer']))
        and (
            not call['interface']
            or any(e['interface'] == call['interface'] for e in offer['endpoints'].values())
        )
    }
    if not value:
        raise model_.Refused('no matching application offers found')
    call.show(value, lambda colour: listings.offers_table(value, colour))


def _show(call: Call) -> None:
    there, offer = _there(call, call.args[0])
    value = listings.offers(there)[offer.name]
    call.show({f'{home.CONTROLLER}:{value["offer-url"]}': value})


def _remove_offer(call: Call) -> None:
    for text in call.args:
        model, name = split_url(text) if '.' in text else (call.model, text)
        call.controller.change(model, requests.RemoveOffer(name=name, force=call['force']))


def _remove_saas(call: Call) -> None:
    for name in call.args:
        call.change(requests.RemoveRemote(name=name))
        call.say(f'removing SAAS application {name}')


_SHOWN = ('tabular', 'json', 'yaml')

COMMANDS = (
    Command(
        'offer',
        _offer,
        'Offer application endpoints for use in other models.',
        '[model-name.]<application-name>:<endpoint-name>[,...] [offer-name]',
        flags=(command.CONTROLLER,),
        needs=('an offer must at least specify application endpoint',),
        most=2,
    ),
    Command(
        'offers',
        _offers,
        'Lists shared endpoints.',
        '[<offer-name>]',
        flags=(
            Flag(('interface',), help='Only those with this interface'),
            Flag(('application',), help='Only those of this application'),
            Flag(('active-only',), 'bool', help='Accepted'),
        ),
        most=1,
        formats=_SHOWN,
    ),
    Command(
        'find-offers',
        _find,
        'Find offered application endpoints.',
        '[<model>]',
        flags=(
            Flag(('interface',), help='Only those with this interface'),
            Flag(('url',), help='Only those whose URL holds this'),
            Flag(('offer',), help='Only the offer of this name'),
        ),
        most=1,
        formats=_SHOWN,
    ),
    Command(
        'show-offer',
        _show,
        'Shows extended information about the offered application.',
        '[<controller>:]<offer url>',
        needs=('must specify endpoint URL',),
        formats=('yaml', 'json'),
    ),
    Command(
        'remove-offer',
        _remove_offer,
        'Removes one or more offers specified by their URL.',
        '<offer-url> ...',
        flags=(command.FORCE, command.NO_PROMPT, command.CONTROLLER),
        needs=('no offers specified',),
        most=None,
    ),
    Command(
        'consume',
        _consume,
        'Add a remote offer to the model.',
        '<remote offer path> [<local application name>]',
        needs=('no remote offer specified',),
        most=2,
    ),
    Command(
        'remove-saas',
        _remove_saas,
        'Remove consumed applications (SAAS) from the model.',
        '<saas-application-name> ...',
        flags=(command.FORCE, Flag(('no-wait',), 'bool', help='Accepted')),
        needs=('no applications specified',),
        most=None,
    ),
)
