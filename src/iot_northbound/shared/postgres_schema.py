"""The tables of the shared state in PostgreSQL, and its steps: one statement each, so no lock outlives a round trip.

`{s}` is the schema. The time is `clock_timestamp()`: that of the moment, and not of the transaction's start.
"""

DEFAULT_SCHEMA = "iot_northbound"
LOCK = 0x696F746E
"""The number of the advisory lock under which the tables are made: two processes may begin at the same time."""

TABLES = (
    """CREATE TABLE IF NOT EXISTS {s}.shared_token (
  application text PRIMARY KEY,
  gen bigint NOT NULL DEFAULT 0,
  record bytea,
  granted float8 NOT NULL DEFAULT 0,
  answered float8 NOT NULL DEFAULT 0,
  lifetime float8 NOT NULL DEFAULT 0,
  fence bigint NOT NULL DEFAULT 0,
  owner text NOT NULL DEFAULT '',
  ttl float8 NOT NULL DEFAULT 0,
  lease_end float8 NOT NULL DEFAULT 0,
  failure text NOT NULL DEFAULT '',
  failed_at float8 NOT NULL DEFAULT 0
)""",
    """CREATE TABLE IF NOT EXISTS {s}.shared_note (
  application text,
  endpoint text,
  noted_at float8 NOT NULL,
  pause float8 NOT NULL,
  gen bigint NOT NULL,
  PRIMARY KEY (application, endpoint)
)""",
    """CREATE TABLE IF NOT EXISTS {s}.shared_flow (
  application text PRIMARY KEY,
  flow text NOT NULL
)""",
    """CREATE TABLE IF NOT EXISTS {s}.shared_slot (
  application text,
  id text,
  ends float8 NOT NULL,
  PRIMARY KEY (application, id)
)""",
)

CLOCK = "extract(epoch FROM clock_timestamp())::float8"
_LEFT = f"least(granted + lifetime - {CLOCK}, lifetime)"

READ = f"SELECT gen, record, {_LEFT}, lifetime FROM {{s}}.shared_token WHERE application = %(app)s"

TIME = f"SELECT {CLOCK}"

# A lease that lasts longer than it may is one from before the clock was set back.
ACQUIRE = f"""
INSERT INTO {{s}}.shared_token AS t (application, fence, owner, ttl, lease_end)
VALUES (%(app)s, 1, %(owner)s, %(ttl)s, {CLOCK} + %(ttl)s)
ON CONFLICT (application) DO UPDATE SET fence = t.fence + 1, owner = %(owner)s, ttl = %(ttl)s,
  lease_end = {CLOCK} + %(ttl)s
WHERE (t.record IS NULL OR t.gen = %(seen)s)
  AND NOT (t.failure <> '' AND {CLOCK} - t.failed_at BETWEEN 0 AND %(cool_down)s)
  AND NOT t.lease_end - {CLOCK} BETWEEN 1e-6 AND t.ttl + 1
RETURNING fence"""

WHY_NOT = f"""
SELECT record IS NOT NULL AND gen <> %(seen)s,
  CASE WHEN {CLOCK} - failed_at BETWEEN 0 AND %(cool_down)s THEN failure ELSE '' END, lease_end - {CLOCK}, ttl + 1
FROM {{s}}.shared_token WHERE application = %(app)s"""

EXTEND = f"""
UPDATE {{s}}.shared_token SET ttl = %(ttl)s, lease_end = {CLOCK} + %(ttl)s
WHERE application = %(app)s AND fence = %(fence)s AND lease_end > 0 RETURNING 1"""

SAVE = f"""
INSERT INTO {{s}}.shared_token AS t (application, gen, record, granted, answered, lifetime)
VALUES (%(app)s, 1, %(record)s, least(%(sent)s, {CLOCK}), {CLOCK}, %(lifetime)s)
ON CONFLICT (application) DO UPDATE SET gen = t.gen + 1, record = %(record)s, lifetime = %(lifetime)s,
  granted = least(%(sent)s, {CLOCK}), answered = {CLOCK}, lease_end = 0, failure = '', failed_at = 0
WHERE t.record IS NULL OR (t.fence = %(fence)s AND %(fence)s <> 0) OR %(sent)s > t.answered
RETURNING gen"""

FAIL = f"""
UPDATE {{s}}.shared_token SET lease_end = 0,
  failure = CASE WHEN %(failure)s = '' THEN failure ELSE %(failure)s END,
  failed_at = CASE WHEN %(failure)s = '' THEN failed_at ELSE {CLOCK} END
WHERE application = %(app)s AND fence = %(fence)s"""

FORBID = f"""
INSERT INTO {{s}}.shared_note (application, endpoint, noted_at, pause, gen)
VALUES (%(app)s, %(endpoint)s, {CLOCK}, %(pause)s, %(gen)s)
ON CONFLICT (application, endpoint) DO UPDATE SET noted_at = {CLOCK}, pause = excluded.pause, gen = excluded.gen"""

ALLOW = "DELETE FROM {s}.shared_note WHERE application = %(app)s AND endpoint = %(endpoint)s"

FORBIDDEN = f"""
SELECT endpoint, {CLOCK} - noted_at, pause, gen FROM {{s}}.shared_note
WHERE application = %(app)s AND {CLOCK} - noted_at BETWEEN 0 AND %(forget)s"""

CLEAR = """
WITH notes AS (DELETE FROM {s}.shared_note WHERE application = %(app)s)
UPDATE {s}.shared_token SET record = NULL, granted = 0, answered = 0, lifetime = 0, failure = '', failed_at = 0
WHERE application = %(app)s"""

TOKEN_STATUS = f"""
SELECT gen, record IS NOT NULL, {_LEFT}, lifetime, {CLOCK} - granted, owner,
  CASE WHEN lease_end - {CLOCK} BETWEEN 0 AND ttl + 1 THEN lease_end - {CLOCK} ELSE 0 END, failure, {CLOCK} - failed_at
FROM {{s}}.shared_token WHERE application = %(app)s"""

# The limit. Here is no rule: `slots.py` has it for every engine.

LOOK = f"""
WITH time AS (SELECT {CLOCK} AS now),
known AS (SELECT now, flow, coalesce(greatest(now + (flow::json->>'behind')::float8,
  (flow::json->>'latest')::float8), now) AS later
  FROM time LEFT JOIN {{s}}.shared_flow ON application = %(app)s),
held AS (SELECT id, ends FROM {{s}}.shared_slot, known WHERE application = %(app)s AND ends > later)
SELECT now, flow, (SELECT count(*) FROM held), EXISTS (SELECT FROM held WHERE id = %(id)s),
  ARRAY(SELECT ends FROM held ORDER BY ends LIMIT %(ends)s)
FROM known"""

CHANGE = """
WITH mine AS (INSERT INTO {s}.shared_flow AS f (application, flow) VALUES (%(app)s, %(flow)s)
  ON CONFLICT (application) DO UPDATE SET flow = excluded.flow WHERE f.flow = %(before)s RETURNING 1),
gone AS (DELETE FROM {s}.shared_slot WHERE application = %(app)s AND EXISTS (SELECT FROM mine)
  AND (ends <= %(now)s OR id = ANY(%(freed)s)) AND id <> ALL(%(kept)s)),
put AS (INSERT INTO {s}.shared_slot (application, id, ends)
  SELECT %(app)s, id, ends FROM unnest(%(kept)s::text[], %(ends)s::float8[]) AS n(id, ends)
  WHERE EXISTS (SELECT FROM mine)
  ON CONFLICT (application, id) DO UPDATE SET ends = excluded.ends)
SELECT count(*) FROM mine"""
