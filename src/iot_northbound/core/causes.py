"""The chain of exceptions behind a failure, however the libraries have wrapped it."""

from typing import Any


def chain_of(error: BaseException, outer: BaseException | None = None) -> list[BaseException]:
    """Return an exception and everything that caused it, the outermost first.

    requests and urllib3 keep causes in `args`, in `reason` or as Python's own chain. `outer` is left out with its own
    causes: it is what the application was handling when it made the call.
    """
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        each = todo.pop(0)
        if not isinstance(each, BaseException) or each is outer or any(each is one for one in found):
            continue
        found.append(each)
        todo += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
    return found
