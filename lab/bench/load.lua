-- wrk sends these requests round and round: one for each token of a file.
-- wrk -s load.lua URL -- TOKENS HOST FORWARDED PATH
local requests, last = {}, 0

function init(arguments)
  wrk.headers["Host"] = arguments[2]
  wrk.headers["X-Forwarded-For"] = arguments[3]
  for token in io.lines(arguments[1]) do
    wrk.headers["Authorization"] = "Bearer " .. token
    requests[#requests + 1] = wrk.format("GET", arguments[4])
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end
