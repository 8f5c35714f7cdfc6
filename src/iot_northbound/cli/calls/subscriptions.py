"""``iot-northbound subscriptions``: what the platform pushes, and where to."""

from __future__ import annotations

from typing import Any

import click

from iot_northbound.cli.calls.asking import confirm, count_of, yes_flag
from iot_northbound.cli.calls.fields import valid
from iot_northbound.cli.calls.verbs import Verb, Verbs
from iot_northbound.cli.command import refuse
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.core.suggest import did_you_mean

group = Verbs(
    "subscriptions",
    "Say what the platform pushes, and where to.",
    (
        Verb(
            name="list",
            method="subscription_management.iter_subscriptions",
            help="list subscriptions",
            columns=("subscriptionId", "notifyType", "callbackUrl"),
        ),
        Verb(
            name="show",
            method="subscription_management.query_single_subscription",
            help="show a subscription",
        ),
    ),
)


@group.command("ensure", short_help="make the subscriptions of one URL exactly the given ones")
@click.argument("url")
@click.argument("kinds", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="all kinds that can be subscribed to")
@click.option("--none", "nothing", is_flag=True, help="no kind: end the subscriptions of this URL")
@pass_session()
def ensure(session: Session, url: str, kinds: tuple[str, ...], *, everything: bool, nothing: bool) -> None:
    """Make the subscriptions of a callback URL exactly the KINDS, for example deviceDataChanged.

    Kinds that are pushed to another URL are moved to this one. A second run changes nothing.
    """
    from iot_northbound.dto.common import NotifyType

    if sum((bool(kinds), everything, nothing)) != 1:
        refuse("give KINDS, --all or --none")
    if not url.startswith(("http://", "https://")):
        refuse(f"URL: {url!r} must begin with http:// or https://")
    known = [str(kind) for kind in NotifyType]
    for kind in kinds:
        if kind not in known and (hint := did_you_mean(kind, known)):
            refuse(f"there is no kind {kind!r}{hint}")
    changes = session.client.subscription_management.ensure(url, known if everything else kinds)
    told = {"kept": list(changes.kept), "added": list(changes.added), "removed": list(changes.removed)}
    lines = {name: ", ".join(found) for name, found in told.items()}
    moved = dict(changes.moved)
    came = ", ".join(f"{kind} from {other}" for kind, other in moved.items())
    session.output.item({**told, "moved": moved}, {**lines, "moved": came})


@group.command("delete", short_help="delete subscriptions")
@click.argument("subscription_ids", nargs=-1)
@click.option("--notify-type", metavar="KIND", help="all of this kind")
@click.option("--callback-url", metavar="URL", help="all of this URL")
@click.option("--all", "everything", is_flag=True, help="all of the application")
@yes_flag
@pass_session(formats=())
def delete(
    session: Session,
    subscription_ids: tuple[str, ...],
    notify_type: Any,
    callback_url: str | None,
    *,
    everything: bool,
    yes: bool,
) -> None:
    """Delete subscriptions: some by their ids, or all of a kind, of a URL or of the application."""
    from iot_northbound.dto.subscription_management import DeleteBatchSubInDTO

    service = session.client.subscription_management
    chosen = bool(notify_type or callback_url)
    if sum((bool(subscription_ids), chosen, everything)) != 1:
        refuse("give ids of subscriptions, or --notify-type, --callback-url or both, or --all")
    if subscription_ids:
        ids = tuple(dict.fromkeys(subscription_ids))
        confirm(f"delete {count_of(len(ids), 'subscription')}", yes=yes or len(ids) == 1)
        for each in ids:
            service.delete_single_subscription(each)
            session.output.note(f"{each} is deleted")
        return
    request = valid(lambda: DeleteBatchSubInDTO(notify_type=notify_type, callback_url=callback_url))
    which = " ".join(filter(None, ("of", notify_type, callback_url))) if chosen else "of the application"
    confirm(f"delete all subscriptions {which}", yes=yes)
    service.delete_batch_subscriptions(request)
    session.output.note(f"the subscriptions {which} are deleted")
