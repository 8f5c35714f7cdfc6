"""Tells objects that their process was forked, in the child."""

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """What can be told."""

    def after_fork(self) -> None:
        """Make new what a forked child must not share with its parent."""
        ...


_told: "weakref.WeakSet[Forked]" = weakref.WeakSet()


def tell(each: Forked) -> None:
    """Call `after_fork` of an object in each child that is forked from now on, as long as the object lives."""
    _told.add(each)


def _after_fork() -> None:
    for each in list(_told):
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
