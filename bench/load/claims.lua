-- Claims of distinct users, for wrk. Arguments after "--": the path, what user ids begin with, and Prefer's value or "".
local path, prefix
local headers = { ["content-type"] = "application/json" }
local counter = 0

function init(args)
  path, prefix = args[1], args[2]
  if args[3] ~= "" then headers["prefer"] = args[3] end
end

function request()
  counter = counter + 1
  return wrk.format("POST", path, headers, '{"userId":"' .. prefix .. counter .. '"}')
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '{"answers":%d,"seconds":%f,"refused":%d,"broken":%d}\n',
    summary.requests,
    summary.duration / 1e6,
    errors.status,
    errors.connect + errors.read + errors.write + errors.timeout
  ))
end
