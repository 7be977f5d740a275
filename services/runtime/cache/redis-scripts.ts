/**
 * Scripts on an entry, which is one hash, and on the state of its bucket. `testing/shared-entry.ts` states their rules.
 *
 * Fields: `f` floor; `v`, `d`, `g`, `x` version, data, server run and expiry of the value; `l`, `lg`, `lt`, `lx` token,
 * server run, start and expiry of the lease. Times are the server's, in milliseconds.
 */
const prelude = `
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function keep(key, ms)
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), ms))
end
`;

/** KEYS: entry. ARGV: lease token, lease in ms. */
const read = `${prelude}
local e = redis.call('HMGET', KEYS[1], 'v', 'd', 'g', 'x', 'l', 'lg', 'lx')
if e[2] and e[3] == run and tonumber(e[4]) > now then
  return {'hit', e[1], e[2], tonumber(e[4]) - now}
end
if e[5] and e[6] == run and tonumber(e[7]) > now then
  return {'busy'}
end
local lease = tonumber(ARGV[2])
redis.call('HDEL', KEYS[1], 'v', 'd', 'g', 'x')
redis.call('HSET', KEYS[1], 'l', ARGV[1], 'lg', run, 'lt', now, 'lx', now + lease)
keep(KEYS[1], lease)
return {'lease'}
`;

/** KEYS: entry. ARGV: lease token, version, data, greatest age in ms. */
const put = `${prelude}
local e = redis.call('HMGET', KEYS[1], 'f', 'l', 'lg', 'lt')
local age = tonumber(ARGV[4])
if e[2] ~= ARGV[1] or e[3] ~= run or tonumber(e[4]) + age <= now then
  return 'lost'
end
redis.call('HDEL', KEYS[1], 'l', 'lg', 'lt', 'lx')
if tonumber(ARGV[2]) < tonumber(e[1] or 0) then
  return 'older'
end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3], 'g', run, 'x', tonumber(e[4]) + age)
keep(KEYS[1], age)
return 'stored'
`;

/** KEYS: entry. ARGV: lease token. */
const release = `
if redis.call('HGET', KEYS[1], 'l') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'l', 'lg', 'lt', 'lx')
end
return 'OK'
`;

/**
 * KEYS: entry, sequence of the bucket. ARGV: version, tombstone in ms, channel, message.
 *
 * The sequence is increased before the message is sent: processes that do not receive it notice the gap.
 */
const invalidate = `${prelude}
local e = redis.call('HMGET', KEYS[1], 'f', 'v')
local version = tonumber(ARGV[1])
if tonumber(e[1] or 0) >= version then
  return 0
end
redis.call('HDEL', KEYS[1], 'l', 'lg', 'lt', 'lx')
if tonumber(e[2] or 0) < version then
  redis.call('HDEL', KEYS[1], 'v', 'd', 'g', 'x')
end
redis.call('HSET', KEYS[1], 'f', version)
keep(KEYS[1], tonumber(ARGV[2]))
local sequence = redis.call('INCR', KEYS[2])
redis.pcall('SPUBLISH', ARGV[3], run .. ' ' .. sequence .. ' ' .. ARGV[4])
return 1
`;

/** KEYS: sequence of a bucket. Returns the server's run and the sequence. */
const state = `${prelude}
return {run, tonumber(redis.call('GET', KEYS[1]) or 0)}
`;

/** By the names under which the client calls them. */
export const redisScripts = {
  cacheRead: { numberOfKeys: 1, lua: read },
  cachePut: { numberOfKeys: 1, lua: put },
  cacheRelease: { numberOfKeys: 1, lua: release },
  cacheInvalidate: { numberOfKeys: 2, lua: invalidate },
  cacheState: { numberOfKeys: 1, lua: state },
};
