"""The platform's state and rules: no I/O, no HTTP library, no thread, nothing of the client.

A guide for whoever writes a rule module:

- **State** stands in the store's tables and nowhere else: that is what makes restarts, snapshots and rollback work. A
  module declares its tables, `COMMANDS = table("commands", "created", "seq")` (the fields that order them; default
  seq, from `platform.next_seq()`), and gets one by `platform.table(COMMANDS)`. Rows are JSON values: read them
  freely, never alter one; replace it (`put(key, row)`, `change(key, **fields)`) or `delete(key)`.
- **Queries**: `table.where(appId=…, status=…)` gives a Selection over an index that is built at first use:
  `len(selection)`, `.between(low, high)` over the first order field, `.slice(start, count, descending=True)`,
  `.first()`, or iterate. Each costs what it returns. Only top-level, hashable fields can be asked for.
- **Endpoints**: `@route("1.7.1", "POST", "/iocm/app/cmd/v1.4.0/deviceCommands")` on `rule(platform, call) -> Answer`.
  The kernel has authenticated, throttled and authorised by then: `call.app_id` is the application acted for,
  `call.caller` the token's own, `call.ids` the path's values, `call.query`, `call.body`. `app_field="accessAppId"`
  (or "ownerFlag") names the query field that may hold another application's id.
- **Checks**: a `Shape(must("deviceId", text(1, 64)), may("expireTime", integer(0)), invalid=(400, "100022"))` reads a
  body (`read`) or a query (`read_query`; `time_of`, `end_of` for its times) and refuses
  with the documented codes.
- **Refusing**: `raise Refusal(404, "100403")` anywhere; what the call did so far is undone.
- **Time**: `platform.now()`, `now_text()`; `platform.after(60, "command_expired", command_id=…)` keeps a timer (a row,
  so it survives a restart) for the function declared with `@timer("command_expired")`; `cancel(timer_id)`.
- **Events**: `platform.emit("device_deleted", row)` runs every `@on("device_deleted") def f(platform, row)`.
  Emitted here: `start()` at the platform's making and reset, `device_added(row)`, `device_modified(row)`,
  `device_deleted(row)`, `device_activated(row)`, `device_online(row)`, `device_offline(row)`,
  `device_heard(row)` (any sign of life: what waits for the device goes out),
  `device_regrouped(row)` (another gatewayId),
  `device_reported(row, service_id, data, time)`, `device_desired(row, service_id, desired)`,
  `application_removed(app_id)`, `authorisation_ended(owner, guest)`, `desired_ended(change_id, ok)`,
  `notify(app_id, notify_type, body)`.
- **Notifying**: `platform.notify(app_id, "deviceAdded", {…})`; the notifications module takes it by `@on("notify")`.
- **Coverage**: `CODES: dict[tuple[section, code], str]` says how each documented code is reached; "fault: …" by fault
  injection only; "unreachable: …" with the reason.
- **Joining**: add the module's name to RULE_MODULES.
"""

RULE_MODULES: tuple[str, ...] = (
    "auth",
    "flow",
    "models",
    "devices",
    "binding",
    "silence",
    "device_rules",
    "device_queries",
    "shadow",
    "history",
    "notifications",
    "subscriptions",
    "groups",
    "transitions",
    "command_flow",
    "commands",
    "cancel_tasks",
    "scripted",
    "invoke",
    "batch",
    "packages",
    "upgrade_flow",
    "upgrades",
)
"""The modules whose declarations make a Platform, in the order they are imported."""
