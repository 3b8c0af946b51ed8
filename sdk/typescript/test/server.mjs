// Starts real servers, and speaks to them past the client under test.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { openSync, closeSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const secret = "a-secret-of-tests-of-at-least-32-bytes";
const password = "root-password-of-tests";
const here = dirname(fileURLToPath(import.meta.url));
const binaries = process.env.KALAM_TEST_BINARIES ?? join(here, "../../../bin");

export const patience = 60_000;

function freePort() {
  return new Promise((done, fail) => {
    const s = createServer();
    s.once("error", fail);
    s.listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

export function wait(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

/** Waits until f gives something true, and returns it. */
export async function until(f, what, within = patience) {
  const end = Date.now() + within;
  for (;;) {
    const v = await f();
    if (v) return v;
    if (Date.now() > end) throw new Error(`after ${within} ms still not: ${what}`);
    await wait(5);
  }
}

function segment(v) {
  return Buffer.from(JSON.stringify(v)).toString("base64url");
}

/** Returns an access token of role user that the test's servers accept. */
export function tokenOf(user, seconds = 3600) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${segment({ alg: "HS256", typ: "JWT" })}.${segment({
    sub: user, role: "user", typ: "access", iat: now, exp: now + seconds, epoch: 0,
  })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** Ends a process, by force when it takes too long: then it fails. */
export async function end(process, signal = "SIGTERM", within = 30_000) {
  if (process.pid === undefined || process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((done) => process.once("exit", done));
  process.kill(signal);
  let forced = false;
  const limit = setTimeout(() => {
    forced = true;
    process.kill("SIGKILL");
  }, within);
  await ended;
  clearTimeout(limit);
  if (forced) throw new Error(`${process.spawnfile} did not end ${within} ms after ${signal}`);
}

export class Server {
  static async start(t, env = {}) {
    const s = new Server();
    s.dir = mkdtempSync(join(tmpdir(), "kalamdb-sdk-"));
    s.env = env;
    s.port = await freePort();
    s.url = `http://127.0.0.1:${s.port}`;
    t.after(async () => {
      await s.kill("SIGTERM").finally(() => rmSync(s.dir, { recursive: true, force: true }));
    });
    await s.run();
    return s;
  }

  async run() {
    const log = openSync(join(this.dir, "log"), "a");
    this.process = spawn(resolve(binaries, "kalamdb-server"), [], {
      stdio: ["ignore", log, log],
      env: {
        PATH: process.env.PATH,
        KALAMDB_SERVER_PORT: String(this.port),
        KALAMDB_STORAGE_DATA_DIR: join(this.dir, "data"),
        KALAMDB_AUTH_ROOT_PASSWORD: password,
        KALAMDB_AUTH_JWT_SECRET: secret,
        ...this.env,
      },
    });
    closeSync(log);
    let failed;
    this.process.once("error", (e) => (failed = e));
    await until(async () => {
      if (failed) throw failed;
      if (this.process.exitCode !== null) {
        throw new Error(`the server ended: ${readFileSync(join(this.dir, "log"))}`);
      }
      return fetch(`${this.url}/v1/api/healthcheck`).then((r) => r.ok, () => false);
    }, "a healthy server");
  }

  async kill(signal = "SIGKILL") {
    await end(this.process, signal);
  }

  async crash() {
    await this.kill();
    await this.run();
  }

  /** Runs a statement as root, acting for a user when one is named. */
  async sql(sql, as) {
    const headers = {
      "Content-Type": "application/json",
      Authorization: `Basic ${Buffer.from(`root:${password}`).toString("base64")}`,
    };
    if (as) headers["X-USER-ID"] = as;
    const r = await fetch(`${this.url}/v1/api/sql`, {
      method: "POST", headers, body: JSON.stringify({ sql }),
    });
    const answer = await r.json();
    if (answer.error) throw new Error(`${sql}: ${answer.error.code} ${answer.error.message}`);
    return answer.results.at(-1);
  }

  /** Returns the rows of a query as objects, for a user. */
  async rows(sql, as) {
    const r = await this.sql(sql, as);
    return r.rows.map((v) => Object.fromEntries(r.schema.map((c, i) => [c.name, v[i]])));
  }
}
