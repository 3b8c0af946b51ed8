import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { createClient, KalamError } from "../dist/index.js";
import { Proxy } from "./proxy.mjs";
import { Server, tokenOf, until } from "./server.mjs";

test("SQL over HTTP", async (t) => {
  const server = await Server.start(t, { KALAMDB_AUTH_ACCESS_TTL: "2s" });
  await server.sql("CREATE NAMESPACE app");
  await server.sql("CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT, ok BOOLEAN, " +
    "at TIMESTAMP, data JSON, bytes BYTES, text TEXT)");
  await server.sql("CREATE USER 'carol' WITH PASSWORD 'a-password-of-tests' ROLE user EMAIL 'c@example.com'");
  const client = (options = {}) => {
    const c = createClient({ url: server.url, auth: { token: tokenOf("alice") }, namespace: "app",
      minBackoffMs: 1, maxBackoffMs: 50, ...options });
    t.after(() => c.close());
    return c;
  };

  await t.test("rows are objects with values of their types", async () => {
    const c = client();
    const at = new Date("2026-01-02T03:04:05.006Z");
    const w = await c.query(
      "INSERT INTO t (id, n, ok, at, data, bytes, text) VALUES ($1, $2, $3, $4, $5, FROM_BASE64($6), $7)",
      [9007199254740993n, 7, true, at, { a: [1, "b"] }, new Uint8Array([104, 105]), undefined]);
    assert.equal(w.rowCount, 1);
    const r = await c.query("SELECT * FROM t WHERE id = ?", ["9007199254740993"], { minSeq: w.seq });
    assert.deepEqual(r.rows, [{ id: "9007199254740993", n: 7, ok: true, at: "2026-01-02T03:04:05.006000Z",
      data: { a: [1, "b"] }, bytes: "aGk=", text: null }]);
    assert.deepEqual(r.columns.map((x) => x.data_type).slice(0, 2), ["BigInt", "Int"]);
    const big = await client({ bigint: "bigint" }).query("SELECT id, n FROM t");
    assert.deepEqual(big.rows, [{ id: 9007199254740993n, n: 7 }]);
  });

  await t.test("errors have the server's code and place", async () => {
    await assert.rejects(client().query("SELECT * FROM nothing"),
      (e) => e instanceof KalamError && e.code === "TABLE_NOT_FOUND" && !e.retryable && e.statement === 1);
    await assert.rejects(client().query("SELECT 1; SELECT 2"), { code: "INVALID_PARAMETER" });
    assert.deepEqual((await client().exec("SELECT 1 AS a; SELECT 2 AS a")).map((r) => Number(r.rows[0].a)), [1, 2]);
    await assert.rejects(client({ auth: undefined }).query("SELECT 1"), { code: "AUTH_REQUIRED" });
    await assert.rejects(client({ auth: { token: "forged" } }).query("SELECT 1"), { code: "INVALID_CREDENTIALS" });
    await assert.rejects(client({ url: "http://127.0.0.1:1", maxAttempts: 2 }).query("SELECT 1"),
      { code: "UNREACHABLE", retryable: true });
    assert.throws(() => client({ url: "localhost" }), { code: "INVALID_PARAMETER" });
    assert.throws(() => client({ url: "ftp://x" }), { code: "INVALID_PARAMETER" });
  });

  await t.test("a request that got no answer is sent again and applied once", async () => {
    const proxy = await Proxy.start(t, server.url);
    const c = client({ url: proxy.url, maxAttempts: 200 });
    for (let i = 0; i < 100; i++) {
      const p = c.query("INSERT INTO t (id, n) VALUES ($1, 1)", [i]);
      if (i % 3 === 0) setTimeout(() => proxy.cut(), i % 5);
      if (i % 3 === 1) proxy.cutAfter(i * 3);
      assert.equal((await p).rowCount, 1);
    }
    assert.ok(proxy.cuts > 30, `${proxy.cuts} cuts`);
    const n = await server.rows("SELECT COUNT(*) AS n FROM app.t WHERE n = 1", "alice");
    assert.equal(n[0].n, "100");
    const same = { requestId: "the-same" };
    for (let i = 0; i < 2; i++) await c.query("UPDATE t SET n = n + 1 WHERE id = 5", [], same);
    assert.equal((await c.query("SELECT n FROM t WHERE id = 5")).rows[0].n, 2);
    await assert.rejects(c.query("UPDATE t SET n = 0 WHERE id = 5", [], same), { code: "INVALID_PARAMETER" });
  });

  await t.test("a login is made once, renewed and ended", async () => {
    const told = [];
    const c = client({ auth: { user: "carol", password: "a-password-of-tests" },
      onTokens: (k) => told.push(k?.user.id) });
    const many = await Promise.all(Array.from({ length: 5 }, () => c.me()));
    assert.ok(many.every((u) => u.id === "carol" && u.email === "c@example.com"));
    assert.deepEqual(told, ["carol"]);
    await until(async () => (await c.me()) && told.length >= 3, "renewals before the token ends");
    await c.refresh();
    await c.logout();
    assert.equal(told.at(-1), undefined);
    await assert.rejects(c.me(), { code: "AUTH_REQUIRED" });
    await assert.rejects(c.refresh(), { code: "AUTH_REQUIRED" });
    await assert.rejects(c.login("carol", "wrong"), { code: "INVALID_CREDENTIALS" });
    assert.equal((await c.login("carol", "a-password-of-tests")).role, "user");
    assert.equal((await c.me()).id, "carol");
  });

  await t.test("tokens are kept and taken up again, or come from elsewhere", async () => {
    let kept;
    const first = client({ auth: { user: "carol", password: "a-password-of-tests" },
      onTokens: (k) => (kept = k) });
    await first.me();
    const c = client({ auth: { tokens: JSON.parse(JSON.stringify(kept)) } });
    assert.equal((await c.me()).id, "carol");
    const asked = [];
    const other = client({ auth: { getToken: async (expired) => {
      asked.push(expired);
      return tokenOf("dora", expired ? 3600 : -10);
    } } });
    assert.equal((await other.me()).id, "dora");
    assert.equal(asked.length, 2);
    assert.equal(asked[0], undefined);
  });

  await t.test("a call can be called off", async () => {
    const stop = new AbortController();
    stop.abort();
    await assert.rejects(client().query("SELECT 1", [], { signal: stop.signal }), { name: "AbortError" });
    assert.equal((await client().health()).status, "healthy");
  });
});

test("answers that are no answers of ours are explained", async (t) => {
  const answers = [[502, "<html>", "FORWARD_FAILED"], [413, "", "PAYLOAD_TOO_LARGE"],
    [200, "<html>", "INTERNAL"], [404, "not here", "NOT_FOUND"]];
  let now;
  const s = createServer((_, res) => {
    res.statusCode = now[0];
    res.end(now[1]);
  });
  await new Promise((done) => s.listen(0, "127.0.0.1", done));
  t.after(() => s.close());
  const c = createClient({ url: `http://127.0.0.1:${s.address().port}`, maxAttempts: 1 });
  for (now of answers) await assert.rejects(c.query("SELECT 1"), { code: now[2] });
});

test("Retry-After is honoured, unless it is too long", async (t) => {
  let requests = 0;
  let after = "0";
  const s = createServer((_, res) => {
    requests++;
    res.statusCode = requests < 3 ? 429 : 200;
    res.setHeader("Retry-After", after);
    res.end(JSON.stringify(requests < 3
      ? { error: { code: "RATE_LIMIT_EXCEEDED", message: "wait", retryable: true } }
      : { status: "success", results: [{ schema: [], rows: [], row_count: 3 }] }));
  });
  await new Promise((done) => s.listen(0, "127.0.0.1", done));
  t.after(() => s.close());
  const c = createClient({ url: `http://127.0.0.1:${s.address().port}`, minBackoffMs: 1 });
  assert.equal((await c.query("INSERT")).rowCount, 3);
  assert.equal(requests, 3);
  requests = 0;
  after = "3600";
  await assert.rejects(c.query("INSERT"), { code: "RATE_LIMIT_EXCEEDED" });
  assert.equal(requests, 1);
});
