// A delivery client for `fleetmark run`, with nothing but Node. It can do several operations at the
// same time: client: {command: [node, push.mjs], concurrency: 8}
import { createReadStream, readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";

const tell = (value) => process.stdout.write(JSON.stringify(value) + "\n");

class Failed extends Error {
  constructor(kind, message, status) {
    super(message);
    Object.assign(this, { kind, status });
  }
}

let headers = {};
let timeout = 10_000;
let ca;
const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };

// send sends a request, and returns the answer as JSON.
function send(method, url, body, more) {
  const { protocol } = new URL(url);
  return new Promise((resolve, reject) => {
    const library = protocol === "https:" ? https : http;
    const options = { method, ca, agent: agents[protocol], timeout, headers: { ...headers, ...more } };
    const request = library.request(url, options, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => {
        text += part;
        if (text.length > 64 << 10) request.destroy(new Failed("nonsense", `${method} ${url}: the answer is too long`));
      });
      answer.on("error", (e) => reject(new Failed("connection", e.message)));
      answer.on("end", () => {
        if (answer.statusCode !== 200 && answer.statusCode !== 202) {
          return reject(new Failed("refused", `${method} ${url}: status ${answer.statusCode}`, answer.statusCode));
        }
        try {
          resolve(JSON.parse(text));
        } catch {
          reject(new Failed("nonsense", `${method} ${url}: the answer isn't JSON`));
        }
      });
    });
    request.on("timeout", () => request.destroy(new Failed("timeout", `${method} ${url}: no answer in ${timeout} ms`)));
    request.on("error", (e) => reject(e instanceof Failed ? e : new Failed("connection", `${method} ${url}: ${e.message}`)));
    if (body) request.on("close", () => body.destroy()); // otherwise the file stays open after a failure
    if (body) body.on("error", (e) => request.destroy(e)).pipe(request);
    else request.end();
  });
}

async function push({ device, version, artifact }) {
  const answer = await send("POST", device.address + "/update", createReadStream(artifact.path), {
    "Content-Length": artifact.size,
    "Content-Type": "application/octet-stream",
    "X-Update-Version": version,
  });
  if (answer.success !== true) throw new Failed("refused", "the device did not take the update");
}

async function verify({ device, version, artifact }) {
  const answer = await send("GET", device.address + "/version");
  if (answer.version !== version || answer.digest !== artifact.sha256) {
    throw new Failed("other-version", `the device runs ${answer.version}`);
  }
  if ((answer.state ?? "idle") !== "idle") throw new Failed("other-version", `the device is ${answer.state}`);
  if (device.id && answer.device_id !== device.id) throw new Failed("other-device", `it is device ${answer.device_id}`);
}

async function answer(request) {
  try {
    await (request.operation === "push" ? push(request) : verify(request));
    tell({ id: request.id, ok: true });
  } catch (e) {
    tell({ id: request.id, error: { class: e.kind ?? "unknown", message: e.message, status: e.status ?? 0 } });
  }
}

let begun = false;
createInterface({ input: process.stdin, terminal: false })
  .on("line", (line) => {
    const message = JSON.parse(line);
    if (begun) return answer(message);
    begun = true;
    headers = message.headers ?? {};
    timeout = message.total_timeout_ms ?? timeout;
    if (message.ca_file) ca = readFileSync(message.ca_file);
    tell({ protocol: 1, version: "1.0", operations: ["push", "verify"] }); // ready
  })
  .on("close", () => process.exit(0)); // Fleetmark has ended
