// How programs in JavaScript read a path; the protocol is that of decoders.py.
import path from "node:path";
import readline from "node:readline";

const bytes = (text) => Buffer.from(text, "utf8").toString("latin1");
const withoutQuery = (target) => target.split("?", 1)[0];
const decoders = {
  whatwg: (target) => decodeURIComponent(new URL(target, "http://host.example").pathname),
  // Express and most routers of Node; without `strict` a slash at the end is left out.
  express: (target) => decodeURIComponent(withoutQuery(target)).replace(/(.)\/$/, "$1"),
  normalize: (target) => path.posix.normalize(decodeURIComponent(withoutQuery(target))),
  twice: (target) => decodeURIComponent(decodeURIComponent(withoutQuery(target))),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const target = JSON.parse(line);
  const answer = {};
  for (const [name, decode] of Object.entries(decoders)) {
    try {
      answer[name] = bytes(decode(target));
    } catch {
      answer[name] = null;
    }
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
