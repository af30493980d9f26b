// What large policies, long paths and many tokens cost in V8, the engine of Envoy's official builds: `make costs-v8`.
// Usage: node --no-liftoff v8.mjs header-policy.wasm   (Envoy compiles ahead of the first request too, without the baseline compiler)
// A configuration's time is the median of five fresh VMs, a request's that of 500 requests of one VM. A bound stands beside each value; nothing fails here for being slow, since a busy machine is slower.
import crypto from "node:crypto";
import fs from "node:fs";

const module = await WebAssembly.compile(fs.readFileSync(process.argv[2]));
const [OK, NOT_FOUND] = [0, 1];
const encoder = new TextEncoder();

// A VM with one plugin context, as far as the filter needs a host.
class Vm {
  constructor() {
    this.configuration = new Uint8Array();
    this.headers = new Uint8Array();
    this.refused = 0;
    this.logged = 0;
    const calls = {
      proxy_log: () => (this.logged++, OK),
      proxy_get_log_level: (level) => this.put32(level, 2),
      proxy_get_current_time_nanoseconds: (time) => {
        new DataView(this.memory.buffer).setBigUint64(time, BigInt(Date.now()) * 1_000_000n, true);
        return OK;
      },
      proxy_get_buffer_bytes: (kind, start, most, data, size) => this.give(this.configuration, data, size),
      proxy_get_header_map_pairs: (map, data, size) => this.give(this.headers, data, size),
      proxy_get_property: () => NOT_FOUND,
      proxy_call_foreign_function: () => NOT_FOUND,
      proxy_send_local_response: () => (this.refused++, OK),
    };
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      (imports[from] ??= {})[name] = calls[name] ?? (() => OK);
    }
    this.exports = new WebAssembly.Instance(module, imports).exports;
    this.memory = this.exports.memory;
    (this.exports._initialize ?? this.exports._start)?.();
    this.exports.proxy_on_context_create(1, 0);
    this.exports.proxy_on_vm_start(1, 0);
    this.next = 2;
  }

  put32(address, value) {
    new DataView(this.memory.buffer).setUint32(address, value, true);
    return OK;
  }

  give(bytes, data, size) {
    const address = this.exports.malloc(bytes.length);
    new Uint8Array(this.memory.buffer, address, bytes.length).set(bytes);
    this.put32(data, address);
    return this.put32(size, bytes.length);
  }

  // A VM that must take this policy.
  static with(spec) {
    const vm = new Vm();
    if (!vm.configure(spec).accepted) throw new Error(`refused: ${JSON.stringify(spec).slice(0, 200)}`);
    return vm;
  }

  configure(spec) {
    this.configuration = encoder.encode(JSON.stringify({ apiVersion: "policy.kyma-istio.dev/v1alpha1", spec }));
    const started = process.hrtime.bigint();
    const accepted = this.exports.proxy_on_configure(1, this.configuration.length);
    return { accepted: accepted === 1, milliseconds: Number(process.hrtime.bigint() - started) / 1e6 };
  }

  request(headers) {
    this.headers = pairs(headers);
    const context = this.next++;
    const started = process.hrtime.bigint();
    this.exports.proxy_on_context_create(context, 1);
    this.exports.proxy_on_request_headers(context, headers.length, 1);
    this.exports.proxy_on_delete(context);
    return Number(process.hrtime.bigint() - started) / 1e3;
  }

  get mebibytes() {
    return this.memory.buffer.byteLength / 2 ** 20;
  }
}

// The ABI's form of a header map.
function pairs(headers) {
  const texts = headers.flat().map((text) => encoder.encode(text));
  const bytes = Buffer.alloc(4 + 4 * texts.length + texts.reduce((sum, text) => sum + text.length + 1, 0));
  bytes.writeUInt32LE(headers.length, 0);
  let place = 4 + 4 * texts.length;
  texts.forEach((text, index) => {
    bytes.writeUInt32LE(text.length, 4 + 4 * index);
    bytes.set(text, place);
    place += text.length + 1;
  });
  return bytes;
}

const median = (values) => values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)];
const rows = [];
const tell = (what, value, unit, most) => rows.push([what, `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`, `≤ ${most} ${unit}`]);

function configuration(what, spec, accepted, most) {
  const times = Array.from({ length: 5 }, () => {
    const found = new Vm().configure(spec);
    if (found.accepted !== accepted) throw new Error(`${what}: accepted is ${found.accepted}`);
    return found.milliseconds;
  });
  tell(what, median(times), "ms", most);
}

const block = (index, first) => `${first}.${(index >> 8) & 255}.${index & 255}.0/24`;
const blocks = (first) => Array.from({ length: 20_000 }, (_, index) => block(index, first));
const gateway = (more) => ({ position: "Gateway", ...more });
configuration("configure 20,000 allowed and 20,000 denied blocks", gateway({ forwarded: { trust: { hops: 1 }, allow: blocks(20), deny: blocks(40) } }), true, 25);

const modulus = () => {
  const number = crypto.randomBytes(256);
  number[0] |= 0x80;
  number[255] |= 1;
  return number.toString("base64url");
};
const provider = (keys, more) => ({ name: "login", issuer: "https://login.example.com", audiences: ["shop"], jwks: { keys }, ...more });
const rsa = Array.from({ length: 6_000 }, (_, index) => ({ kty: "RSA", kid: `k${index}`, alg: "RS256", n: modulus(), e: "AQAB" }));
configuration("configure 6,000 RSA keys", gateway({ jwt: { providers: [provider(rsa)], otherwise: "Require" } }), true, 25);

const unknown = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`field${index}`, 1]));
configuration("refuse 20,000 unknown fields", gateway({ forwarded: { trust: { hops: 1 } }, ...unknown }), false, 50);

const pair = crypto.generateKeyPairSync("ed25519");
const key = { ...pair.publicKey.export({ format: "jwk" }), kid: "ed", alg: "EdDSA" };
const rules = Array.from({ length: 1_000 }, (_, index) => ({ paths: [`/service-${index}/*`], access: "Open" }));
const paths = Vm.with(gateway({ jwt: { providers: [provider([key])], rules, otherwise: "Open" } }));
const headers = (path, more) => [[":method", "GET"], [":authority", "shop.example.com"], [":path", path], ...more];
const ask = (path) => median(Array.from({ length: 500 }, () => paths.request(headers(path, []))));
const [long, plain] = ["/a".repeat(30_000), `/${"a".repeat(59_999)}`].map(ask);
tell("a path of 60 KB in 30,000 segments, beside one segment", Math.max(0, long - plain), "µs", 50);
tell("a path of 60 KB in 30,000 segments, beside `/a`", long - ask("/a"), "µs", 50);

const tokens = Vm.with(gateway({ jwt: { providers: [provider([key], { claimsToHeaders: [{ claim: "sub", header: "x-user" }], payloadHeader: "x-payload" })], otherwise: "Require" } }));
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = Math.floor(Date.now() / 1000);
const started = tokens.mebibytes;
for (let index = 0; index < 6_000; index++) {
  const roles = Array.from({ length: 130 }, (_, role) => `role-${role}-${index % 97}-abcdef`);
  const input = `${encode({ alg: "EdDSA", kid: "ed" })}.${encode({ iss: "https://login.example.com", aud: "shop", sub: `user-${index}`, exp: now + 600, roles })}`;
  const token = `${input}.${crypto.sign(null, Buffer.from(input), pair.privateKey).toString("base64url")}`;
  if (index === 0) console.log(`a token has ${token.length} bytes; a VM without tokens ${started.toFixed(2)} MiB`);
  tokens.request(headers("/", [["authorization", `Bearer ${token}`]]));
}
if (tokens.refused) throw new Error(`${tokens.refused} tokens were refused`);
if (paths.refused) throw new Error(`${paths.refused} paths were refused`);
tell("memory after 6,000 different tokens", tokens.mebibytes, "MiB", 6);

const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
