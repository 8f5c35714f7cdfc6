"""For mkdocstrings: a DTO's page tells the fields its class inherits, as the class itself does when it is loaded."""

import inspect
from importlib import import_module
from typing import Any

import griffe


class InheritedFields(griffe.Extension):
    """Takes the docstrings of DTOs from the loaded classes, since the source has each field in one class only."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Give a DTO the docstring it has at run time."""
        if cls.docstring and cls.module.path.startswith("iot_northbound.dto."):
            loaded = getattr(import_module(cls.module.path), cls.name)
            cls.docstring.value = inspect.cleandoc(loaded.__doc__)

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Show the type of a field without its rules, which its text tells in words."""
        shown = attr.annotation
        if attr.module.path.startswith("iot_northbound.dto.") and isinstance(shown, griffe.ExprSubscript):
            inside = shown.slice
            if str(shown.left) == "Annotated" and isinstance(inside, griffe.ExprTuple):
                attr.annotation = inside.elements[0]
