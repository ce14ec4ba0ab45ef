"""What must happen at once, as Lua: each script touches one partition and runs alike on Redis ≥ 7 and Valkey.

`LENGTHS` alone is of all partitions, and is not for clusters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar


class Script:
    """A Lua text, called by its SHA-1 (``EVALSHA``)."""

    _sources: ClassVar[dict[str, str]] = {}

    def __init__(self, source: str) -> None:
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._sources[self.sha] = source

    @classmethod
    def source_of(cls, sha: str) -> str:
        """Returns the text of a script of this module."""
        return cls._sources[sha]

    def call(self, keys: Sequence[str], *args: str | int | bytes | float) -> tuple[str | int | bytes | float, ...]:
        """Returns the command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *args)


# Whoever queues something rings the lane's bell (`doorbell`); a server that forbids this user to publish does no harm.

#: Stores what is new of one bundle (`bundles`), counts, and queues the unit unless it waits already. The first new
#: record holds the bundle, the others refer to it. Returns the number stored.
#: KEYS records, count, dirty, work, ages; ARGV project, unit, time in ms, records received, bundle, field…
APPEND = Script("""
local received, stored, holder = tonumber(ARGV[4]), 0, nil
local fresh, known = {}, redis.call('EXISTS', KEYS[1]) == 1
for i = 6, #ARGV do
  if not known or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    local place = string.char(i - 6)
    stored = stored + 1
    fresh[2 * stored - 1] = ARGV[i]
    fresh[2 * stored] = holder and 'B' .. place .. holder or 'P' .. place .. ARGV[5]
    holder = holder or ARGV[i]
  end
end
redis.call('HINCRBY', KEYS[2], 'received', received)
if stored > 0 then redis.call('HINCRBY', KEYS[2], 'stored', stored) end
if stored < received then redis.call('HINCRBY', KEYS[2], 'duplicate', received - stored) end
if stored > 0 then
  redis.call('HSET', KEYS[1], unpack(fresh))
  local name = ARGV[1] .. '\\n' .. ARGV[2]
  redis.call('ZADD', KEYS[5], ARGV[3], name)
  if redis.call('SADD', KEYS[3], name) == 1 then
    redis.call('XADD', KEYS[4], '*', 'project', ARGV[1], 'unit', ARGV[2])
    redis.pcall('PUBLISH', 'ad:bell:' .. string.match(KEYS[4], '[^:]+$'), KEYS[4])
  end
end
return stored
""")

#: Deletes a unit and counts its records as deleted. KEYS records, joins, count, dirty, ages; ARGV project and unit.
ERASE_UNIT = Script("""
local number = redis.call('HLEN', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2])
if number > 0 then redis.call('HINCRBY', KEYS[3], 'deleted', number) end
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
return number
""")

#: Notes words that a trajectory has posted, beside those that somebody else notes just now. KEYS traj; ARGV words.
ADD_WORDS = Script("""
local known = redis.call('HGET', KEYS[1], 'words')
return redis.call('HSET', KEYS[1], 'words', known and known .. ' ' .. ARGV[1] or ARGV[1])
""")

#: Takes eight bytes out of lists of such, in fields of a hash. KEYS hash; ARGV the eight, field…
LEAVE = Script("""
for i = 2, #ARGV do
  local kept, all = {}, redis.call('HGET', KEYS[1], ARGV[i]) or ''
  for at = 1, #all, 8 do
    local each = string.sub(all, at, at + 7)
    if each ~= ARGV[1] then kept[#kept + 1] = each end
  end
  if #kept == 0 then
    redis.call('HDEL', KEYS[1], ARGV[i])
  elseif #kept * 8 < #all then
    redis.call('HSET', KEYS[1], ARGV[i], table.concat(kept))
  end
end
return 1
""")

#: Takes eight bytes out of a list of such. KEYS text; ARGV the eight. Returns what is left of it, in bytes.
UNPOST = Script("""
local kept, all = {}, redis.call('GET', KEYS[1]) or ''
for at = 1, #all, 8 do
  local each = string.sub(all, at, at + 7)
  if each ~= ARGV[1] then kept[#kept + 1] = each end
end
if #kept == 0 then
  redis.call('DEL', KEYS[1])
elseif #kept * 8 < #all then
  redis.call('SET', KEYS[1], table.concat(kept))
end
return #kept * 8
""")

#: Takes fields out of a hash where they still have a value. KEYS hash; ARGV value, field…
DISOWN = Script("""
local gone = 0
for i = 2, #ARGV do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[1] then gone = gone + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return gone
""")

#: Reads what a process has not read yet of a unit. KEYS records; ARGV the fields that it knows…
#: Returns how many of those are still there, and the other fields with their values.
UNREAD = Script("""
local known, there, fresh = {}, 0, {}
for i = 1, #ARGV do known[ARGV[i]] = true end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if known[field] then
    there = there + 1
  else
    fresh[#fresh + 1] = field
    fresh[#fresh + 1] = redis.call('HGET', KEYS[1], field)
  end
end
return {there, fresh}
""")

#: Writes records anew in another form, all or nothing: each must still lie as it was read, and what it refers to must
#: be there. KEYS records; ARGV (field, SHA-1 of its value, field referred to, new value)…
FOLD = Script("""
for i = 1, #ARGV, 4 do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  if not value or redis.sha1hex(value) ~= ARGV[i + 1] then return 0 end
  if redis.call('HEXISTS', KEYS[1], ARGV[i + 2]) == 0 then return 0 end
end
for i = 1, #ARGV, 4 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 3]) end
return 1
""")

#: Adds a unit to those that share some keys. KEYS join; ARGV unit, key…
JOIN = Script("""
for i = 2, #ARGV do
  local units = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  redis.call('HSET', KEYS[1], ARGV[i], units .. ARGV[1])
end
return 1
""")

#: Lengthens a text; APPEND would set as much room aside as the text is long. KEYS text; ARGV what to add.
EXTEND = Script("""
redis.call('SET', KEYS[1], (redis.call('GET', KEYS[1]) or '') .. ARGV[1])
return 1
""")

#: Counts refused records and lists some of them. KEYS count, refused; ARGV number, most kept, (id, reason)…
REJECT = Script("""
for i = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[i], 'reason', ARGV[i + 1])
end
redis.call('HINCRBY', KEYS[1], 'received', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'rejected', ARGV[1])
""")

#: Claims what waits in one partition: it leaves the set of those that wait, so that what comes later queues it anew.
#: KEYS work, dirty; ARGV group, consumer, how many. Returns entries as XREADGROUP does, and 1 where more may wait.
CLAIM = Script("""
local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
if not found then return {{}, 0} end
local entries = found[1][2]
for _, entry in ipairs(entries) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  redis.call('SREM', KEYS[2], fields['project'] .. '\\n' .. fields['unit'])
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
return {entries, last[1] and last[1][1] == entries[#entries][1] and 0 or 1}
""")

#: Counts the entries of streams: one command instead of one per stream, where one server has them all. KEYS streams.
LENGTHS = Script("""
local sizes = {}
for i = 1, #KEYS do sizes[i] = redis.call('XLEN', KEYS[i]) end
return sizes
""")

#: Queues a unit unless it waits already. KEYS dirty, work; ARGV project, unit.
ENQUEUE = Script("""
if redis.call('SADD', KEYS[1], ARGV[1] .. '\\n' .. ARGV[2]) == 1 then
  redis.call('XADD', KEYS[2], '*', 'project', ARGV[1], 'unit', ARGV[2])
  redis.pcall('PUBLISH', 'ad:bell:' .. string.match(KEYS[2], '[^:]+$'), KEYS[2])
end
return 1
""")

#: Takes a reminder away unless it was set anew meanwhile. KEYS due; ARGV member, score as read.
RING = Script("""
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) == tonumber(ARGV[2]) then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
""")

#: Ends one delivery: gives the unit another try, or lays it with the dead. KEYS work, dead;
#: ARGV group, entry, project, unit, attempts so far, limit, error, most dead letters kept. Returns 1 when given up.
FAIL = Script("""
local given_up = 0
if tonumber(ARGV[5]) < tonumber(ARGV[6]) then
  redis.call('XADD', KEYS[1], '*', 'project', ARGV[3], 'unit', ARGV[4], 'attempts', ARGV[5])
  redis.pcall('PUBLISH', 'ad:bell:' .. string.match(KEYS[1], '[^:]+$'), KEYS[1])
else
  given_up = 1
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], '*', 'project', ARGV[3], 'unit', ARGV[4],
             'attempts', ARGV[5], 'error', ARGV[7])
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return given_up
""")

#: Queues a unit given up anew. KEYS work, dead, dirty; ARGV entry, project, unit. Returns 1 when it was there.
REPLAY = Script("""
if redis.call('XDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
if redis.call('SADD', KEYS[3], ARGV[2] .. '\\n' .. ARGV[3]) == 1 then
  redis.call('XADD', KEYS[1], '*', 'project', ARGV[2], 'unit', ARGV[3])
  redis.pcall('PUBLISH', 'ad:bell:' .. string.match(KEYS[1], '[^:]+$'), KEYS[1])
end
return 1
""")

#: Saves a version of a trajectory unless it is there, or a later one is. A version woven from fewer records is older:
#: record sets only grow. A version that is saved waits to be judged, whatever becomes of its worker.
#: KEYS traj, judge-dirty, judge; ARGV digest, content hash, records, blob, base row, project, id, arrival in ms.
#: Returns 1 when saved.
SAVE_TRAJECTORY = Script("""
local now = redis.call('HMGET', KEYS[1], 'digest', 'content', 'size', 'moved')
if now[3] and tonumber(now[3]) > tonumber(ARGV[3]) then return 0 end
if now[1] == ARGV[1] and now[2] == ARGV[2] and not now[4] then return 0 end
redis.call('HDEL', KEYS[1], 'moved')
redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'content', ARGV[2], 'size', ARGV[3], 'blob', ARGV[4], 'base', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'rev', 1)
if redis.call('SADD', KEYS[2], ARGV[6] .. '\\n' .. ARGV[7]) == 1 then
  redis.call('XADD', KEYS[3], '*', 'project', ARGV[6], 'unit', ARGV[7], 'arrived', ARGV[8])
  redis.pcall('PUBLISH', 'ad:bell:' .. string.match(KEYS[3], '[^:]+$'), KEYS[3])
end
return 1
""")

#: Leaves a sign where a trajectory was that another one has taken in. KEYS traj; ARGV id of the other, its records.
RETIRE = Script("""
local size = redis.call('HGET', KEYS[1], 'size')
if not size or tonumber(size) > tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'moved', ARGV[1], 'size', ARGV[2])
return 1
""")

#: Saves a diagnosis if its digest is still the trajectory's. KEYS traj; ARGV digest, blob, overlay, content hash.
#: Returns 0 when the trajectory has moved on, 1 when saved, 2 when it says nothing new.
SAVE_DIAGNOSIS = Script("""
local now = redis.call('HMGET', KEYS[1], 'digest', 'judged')
if now[1] ~= ARGV[1] then return 0 end
if now[2] == ARGV[4] then return 2 end
redis.call('HSET', KEYS[1], 'diagnosis', ARGV[2], 'overlay', ARGV[3], 'judged', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'rev', 1)
return 1
""")

#: Lays another overlay over a trajectory if the diagnosis that it was made of is still the one that is there.
#: KEYS traj; ARGV content hash of the diagnosis or '', overlay. Returns 0 when it is not.
SAVE_OVERLAY = Script("""
if redis.call('HEXISTS', KEYS[1], 'base') == 0 then return 0 end
if (redis.call('HGET', KEYS[1], 'judged') or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], 'overlay') else redis.call('HSET', KEYS[1], 'overlay', ARGV[2]) end
redis.call('HINCRBY', KEYS[1], 'rev', 1)
return 1
""")

#: Replaces a row of the list if it is still the one that was read; an empty new row removes it.
#: KEYS rows, indexes to leave…, indexes to enter…; ARGV id, row as read, new row, number of those to leave, place in
#: each to enter….
SAVE_ROW = Script("""
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
local leave = tonumber(ARGV[4])
for i = 2, 1 + leave do redis.call('ZREM', KEYS[i], ARGV[1]) end
for i = 2 + leave, #KEYS do redis.call('ZADD', KEYS[i], ARGV[3 - leave + i], ARGV[1]) end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
""")

#: Takes a lease that is free, or makes one of ours longer. KEYS lease; ARGV owner, ms. Returns 1 when it is ours.
LEASE = Script("""
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")

#: Gives a lease of ours back. KEYS lease; ARGV owner.
RELEASE = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")

#: Keeps a person's word on an incident and queues the trajectory. KEYS traj, judge-dirty, judge; ARGV incident, state,
#: project, id, time in ms. Returns 0 when there is no such trajectory.
REVIEW = Script("""
if redis.call('HEXISTS', KEYS[1], 'blob') == 0 then return 0 end
local said = cjson.decode(redis.call('HGET', KEYS[1], 'reviews') or '{}')
said[ARGV[1]] = ARGV[2]
redis.call('HSET', KEYS[1], 'reviews', cjson.encode(said))
if redis.call('SADD', KEYS[2], ARGV[3] .. '\\n' .. ARGV[4]) == 1 then
  redis.call('XADD', KEYS[3], '*', 'project', ARGV[3], 'unit', ARGV[4], 'arrived', ARGV[5])
  redis.pcall('PUBLISH', 'ad:bell:' .. string.match(KEYS[3], '[^:]+$'), KEYS[3])
end
return 1
""")

#: Counts on a trajectory that is still there. KEYS traj; ARGV field, number.
COUNT = Script("""
if redis.call('HEXISTS', KEYS[1], 'blob') == 0 then return 0 end
return redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
""")
