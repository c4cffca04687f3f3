/**
 * The scripts that change Redis: each runs as a whole or not at all, as nothing in them fails after the first write.
 *
 * They name keys that are not in KEYS (a batch touches thousands), which a single Redis allows and Redis Cluster
 * does not. Numbers arrive as text, so none is rounded on the way.
 */
import type { RedisScript } from './redis-client.ts'

/**
 * KEYS: owner, offsets. ARGV: log id, number of partitions.
 * Answers `['log-changed', owner]`, or `['ok', offset, …]` with '' where there is none.
 */
export const positionsScript: RedisScript = {
  name: 'millraceSinkPositions',
  lua: `
    local owner = redis.call('get', KEYS[1])
    if not owner then
      redis.call('set', KEYS[1], ARGV[1])
    elseif owner ~= ARGV[1] then
      return {'log-changed', owner}
    end
    local answer = {'ok'}
    for partition = 0, tonumber(ARGV[2]) - 1 do
      answer[#answer + 1] = redis.call('hget', KEYS[2], tostring(partition)) or ''
    end
    return answer`,
}

/**
 * KEYS: owner, offsets. ARGV: log id, key prefix, the batch as JSON (redis-store.ts, \`RedisBatch\`).
 * Answers 'applied'; 'moved' when Redis does not stand where the batch begins; 'lost' when a coupon's view is gone,
 * after which the offsets are gone too and everything is rebuilt.
 */
export const applyScript: RedisScript = {
  name: 'millraceSinkApply',
  lua: `
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 'moved' end
    local prefix = ARGV[2]
    local batch = cjson.decode(ARGV[3])

    for _, step in ipairs(batch.steps) do
      local stands = redis.call('hget', KEYS[2], step[1]) or '0'
      if stands ~= step[2] then return 'moved' end
    end
    for _, level in ipairs(batch.levels) do
      if redis.call('exists', prefix .. 'coupon:view:' .. level[1]) == 0 then
        redis.call('del', KEYS[2])
        return 'lost'
      end
    end

    local function newer(old, version)
      return not old or tonumber(old) < tonumber(version)
    end
    local function set_view(id, version, fields)
      local key = prefix .. 'coupon:view:' .. id
      if not newer(redis.call('hget', key, 'version'), version) then return end
      redis.call('hset', key, 'version', version, unpack(fields))
      local view = redis.call('hmget', key, 'stock', 'remaining', 'paused', 'closed')
      redis.call('hset', key, 'issued', string.format('%.0f', tonumber(view[1]) - tonumber(view[2])))
      local available = view[3] == 'false' and view[4] == 'false' and tonumber(view[2]) > 0
      redis.call('set', prefix .. 'coupon:available:' .. id, available and 'true' or 'false')
      redis.call(available and 'sadd' or 'srem', prefix .. 'coupons:available', id)
    end

    for _, coupon in ipairs(batch.coupons) do set_view(coupon[1], coupon[2], coupon[3]) end
    for _, level in ipairs(batch.levels) do set_view(level[1], level[2], {'remaining', level[3]}) end
    for _, claim in ipairs(batch.claims) do
      local key = prefix .. 'claim:' .. claim[1]
      local old = redis.call('get', key)
      if not old or newer(cjson.decode(old).version, claim[2]) then
        redis.call('set', key, claim[4], 'px', claim[3])
      end
    end
    for _, held in ipairs(batch.held) do
      local key = prefix .. 'user:' .. held[1] .. ':coupons'
      local old = redis.call('hget', key, held[2])
      if not old or newer(cjson.decode(old).version, held[3]) then
        redis.call('hset', key, held[2], held[4])
      end
    end
    for _, step in ipairs(batch.steps) do redis.call('hset', KEYS[2], step[1], step[3]) end
    return 'applied'`,
}
