-- What people write for Envoy's Lua filter: the client left of the last hop, and something that looks like a bearer token.
-- Nothing is verified.
function envoy_on_request(handle)
  local headers = handle:headers()
  local chain = headers:get("x-forwarded-for") or ""
  local client = chain:match("([^,%s]+)%s*,%s*[^,%s]+%s*$")
  if client == nil or not client:match("^%d+%.%d+%.%d+%.%d+$") then
    handle:respond({ [":status"] = "400" }, "bad chain")
    return
  end
  local authorization = headers:get("authorization") or ""
  if authorization:sub(1, 7) ~= "Bearer " then
    handle:respond({ [":status"] = "401" }, "no token")
    return
  end
  headers:replace("x-client-ip", client)
end
