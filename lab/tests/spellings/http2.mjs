// Sends requests over HTTP/2 (prior knowledge), many at once. A line of JSON in: {port, method, host, path}; a line out, in the same order: the response's headers, or
// null where there was none.
import http2 from "node:http2";
import readline from "node:readline";

const cases = [];
for await (const line of readline.createInterface({ input: process.stdin })) {
  cases.push(JSON.parse(line));
}
const answers = new Array(cases.length).fill(null);
const sessions = new Map();

function session(port) {
  const known = sessions.get(port);
  if (known && !known.closed && !known.destroyed) return known;
  const made = http2.connect(`http://127.0.0.1:${port}`);
  made.on("error", () => {});
  sessions.set(port, made);
  return made;
}

function send({ port, method, host, path }) {
  return new Promise((resolve) => {
    let headers = null;
    try {
      const stream = session(port).request({ ":method": method, ":authority": host, ":path": path }, { endStream: true });
      stream.on("response", (found) => (headers = found));
      stream.on("error", () => {});
      stream.on("close", () => resolve(headers));
      stream.setTimeout(20_000, () => stream.close());
      stream.resume();
    } catch {
      resolve(null);
    }
  });
}

let next = 0;
async function work() {
  while (next < cases.length) {
    const index = next++;
    answers[index] = await send(cases[index]);
  }
}
await Promise.all(Array.from({ length: 32 }, work));
for (const one of sessions.values()) one.destroy();
process.stdout.write(answers.map((answer) => JSON.stringify(answer)).join("\n") + "\n");
