// Sends one HTTP/2 request with trailers through a proxy and tells which of them arrived behind it. Out: the port of the server that stands behind the proxy. In: a line
// of JSON, {port, trailers}. Out: {status, arrived}, where `arrived` is null when the request did not come to its end.
import http2 from "node:http2";
import readline from "node:readline";

let arrived = null;
const server = http2.createServer();
server.on("stream", (stream) => {
  let seen = {};
  stream.on("trailers", (trailers) => (seen = { ...trailers }));
  stream.on("error", () => {});
  stream.on("end", () => {
    if (stream.destroyed || stream.aborted) return;
    arrived = seen;
    stream.respond({ ":status": 200 }, { endStream: true });
  });
  stream.resume();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { port, trailers } = JSON.parse(line);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const headers = { ":method": "POST", ":path": "/", ":authority": "shop.example", "x-forwarded-for": "203.0.113.9" };
  const stream = session.request(headers, { waitForTrailers: true });
  let status = null;
  stream.on("response", (found) => (status = found[":status"]));
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.on("error", () => {});
  stream.setTimeout(20_000, () => stream.close());
  stream.resume();
  stream.end("body");
  await new Promise((resolve) => stream.on("close", resolve));
  console.log(JSON.stringify({ status, arrived }));
  process.exit(0);
}
