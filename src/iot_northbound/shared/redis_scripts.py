"""The steps of the shared state as scripts, which Redis runs one at a time.

The time is Redis' own. Every key is in KEYS, because a cluster wants to know them. Numbers with a fraction go back as
text, because Redis cuts them.
"""

CLOCK = "local time = redis.call('TIME')\nlocal now = time[1] + time[2] / 1000000"

_NOW = f"""
{CLOCK}
local function text(number) return string.format('%.17g', number) end
local function field(name) return tonumber(redis.call('HGET', KEYS[1], name) or 0) end
local function present() return redis.call('HEXISTS', KEYS[1], 'record') == 1 end
local function left() return math.min(field('granted') + field('lifetime') - now, field('lifetime')) end
"""

# Token: KEYS[1] is a hash: gen, record, granted, answered, lifetime, fence, owner, ttl, lease_end, failure, failed_at.

READ = (
    _NOW
    + """
if not present() then return {field('gen')} end
return {field('gen'), redis.call('HGET', KEYS[1], 'record'), text(left()), text(field('lifetime'))}
"""
)

TIME = _NOW + "return text(now)"

ACQUIRE = (
    _NOW
    + """
local owner, ttl, seen, cool_down = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if present() and field('gen') ~= seen then return {'newer'} end
local failure = redis.call('HGET', KEYS[1], 'failure')
local ago = now - field('failed_at')
if failure and 0 <= ago and ago < cool_down then return {'failed', failure} end
local left = field('lease_end') - now
if 0 < left and left <= field('ttl') + 1 then return {'busy', text(left)} end
redis.call('HSET', KEYS[1], 'owner', owner, 'ttl', text(ttl), 'lease_end', text(now + ttl))
return {'mine', redis.call('HINCRBY', KEYS[1], 'fence', 1)}
"""
)

EXTEND = (
    _NOW
    + """
if field('fence') ~= tonumber(ARGV[1]) or field('lease_end') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'ttl', ARGV[2], 'lease_end', text(now + ARGV[2]))
return 1
"""
)

SAVE = (
    _NOW
    + """
local fence, sent = tonumber(ARGV[1]), tonumber(ARGV[4])
local current = fence ~= 0 and fence == field('fence')
if present() and not current and sent <= field('answered') then return false end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'lifetime', ARGV[3])
redis.call('HSET', KEYS[1], 'granted', text(math.min(sent, now)), 'answered', text(now))
redis.call('HDEL', KEYS[1], 'failure', 'failed_at', 'lease_end')
return redis.call('HINCRBY', KEYS[1], 'gen', 1)
"""
)

FAIL = (
    _NOW
    + """
if field('fence') ~= tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 'lease_end')
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'failure', ARGV[2], 'failed_at', text(now)) end
return 1
"""
)

CLEAR = """
redis.call('HDEL', KEYS[1], 'record', 'granted', 'answered', 'lifetime', 'failure', 'failed_at')
return redis.call('DEL', KEYS[2])
"""

TOKEN_STATUS = (
    _NOW
    + """
local lease = field('lease_end') - now
local owner, failure = redis.call('HGET', KEYS[1], 'owner') or '', redis.call('HGET', KEYS[1], 'failure') or ''
return {field('gen'), present() and 1 or 0, text(left()), text(field('lifetime')), text(now - field('granted')),
  owner, text(0 < lease and lease <= field('ttl') + 1 and lease or 0), failure, text(now - field('failed_at'))}
"""
)

# Notes: KEYS[1] is a hash of endpoint -> "when pause gen".

FORBID = (
    _NOW
    + """
if tonumber(ARGV[2]) == 0 then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return redis.call('HSET', KEYS[1], ARGV[1], text(now) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
"""
)

FORBIDDEN = (
    _NOW
    + """
local answer = {}
local notes = redis.call('HGETALL', KEYS[1])
for i = 1, #notes, 2 do
  local at, rest = string.match(notes[i + 1], '^(%S+) (.*)$')
  local age = now - at
  if 0 <= age and age < tonumber(ARGV[1]) then
    table.insert(answer, notes[i])
    table.insert(answer, text(age) .. ' ' .. rest)
  end
end
return answer
"""
)

# Limit: KEYS[1] is the flow, KEYS[2] the slots by their ends. Here is no rule: `slots.py` has it for every engine.
# Among the slots is one without a name, which has ended. A full server may evict one of the two keys: without that slot
# all are lost, and the flow is removed, so that processes see it and store their slots again.

LOOK = (
    _NOW
    + """
local flow = redis.call('GET', KEYS[1])
if flow and not redis.call('ZSCORE', KEYS[2], '') then
  redis.call('DEL', KEYS[1])
  flow = false
end
local later = now
if flow then
  local known = cjson.decode(flow)
  later = math.max(now + known.behind, known.latest)
end
local first = '(' .. text(later)
local ends = {}
for i, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], first, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])) do
  if i % 2 == 0 then table.insert(ends, each) end
end
local held = redis.call('ZSCORE', KEYS[2], ARGV[1])
return {text(now), flow, redis.call('ZCOUNT', KEYS[2], first, '+inf'), held and tonumber(held) > later and 1 or 0, ends}
"""
)

CHANGE = """
if redis.call('GET', KEYS[1]) ~= (ARGV[1] ~= '' and ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
redis.call('ZADD', KEYS[2], 0, '')
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('ZREM', KEYS[2], ARGV[i])
  else redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i]) end
end
return 1
"""
