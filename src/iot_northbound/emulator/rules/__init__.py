"""What the platform does: one module per noun, and one for its endpoints. The guide is docs/emulator-rules.md."""

from importlib import import_module

_NAMES = (
    "admission",
    "applications",
    "application_calls",
    "throttling",
    "models",
    "model_calls",
    "devices",
    "links",
    "registrations",
    "provisioning",
    "binding",
    "device_logins",
    "silence",
    "registration_calls",
    "device_calls",
    "shadows",
    "shadow_calls",
    "history",
    "history_calls",
    "notifications",
    "subscriptions",
    "subscription_calls",
    "groups",
    "group_calls",
    "commands",
    "command_calls",
    "cancel_tasks",
    "cancel_task_calls",
    "scripts",
    "invocations",
    "invocation_calls",
    "outbox",
    "reports",
    "hubs",
    "batch_tasks",
    "batch_task_calls",
    "packages",
    "package_calls",
    "upgrades",
    "upgrade_calls",
)

# Imported in this order, whichever of them is asked for first: it decides the order of the hooks of an event.
MODULES = tuple(import_module(f"{__name__}.{name}") for name in _NAMES)
"""The modules whose declarations are the platform's rules."""
