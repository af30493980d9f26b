// Reads JSON Lines {policy, request} from stdin and writes decide()'s answers as JSON Lines, in order: `node playground/run.mjs [FOLDER]`.
// FOLDER is what scripts/playground.sh wrote, by default out/playground/node. `policy` and `request` are JSON, or the JSON's text.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.argv[2] ?? fileURLToPath(new URL('../out/playground/node', import.meta.url));

let decide;
try {
  ({ decide } = createRequire(import.meta.url)(resolve(folder, 'playground.js')));
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.error(`run.mjs: no playground.js in ${folder}: run \`make playground\``);
  process.exit(2);
}

const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value ?? null));

function answer(line) {
  let asked;
  try {
    asked = JSON.parse(line);
  } catch {
    return JSON.stringify({ error: [{ path: '', found: 'a line that is no JSON', expected: '{policy, request}' }] });
  }
  return decide(text(asked?.policy), text(asked?.request));
}

async function tell(line) {
  if (line.trim() !== '' && !process.stdout.write(`${answer(line)}\n`)) await once(process.stdout, 'drain');
}

// Not node:readline: it also ends lines at U+2028, which JSON may hold.
let rest = '';
for await (const chunk of process.stdin.setEncoding('utf8')) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) await tell(line);
}
await tell(rest);
