import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../dist/index.js";
import { Proxy } from "./proxy.mjs";
import { Server, tokenOf, until, wait } from "./server.mjs";

/** Collects what a live query tells. */
function follow(client, sql, options = {}) {
  const f = { rows: undefined, calls: 0, error: undefined };
  f.stop = client.live(sql, (rows, state) => {
    f.rows = rows;
    f.state = state;
    f.calls++;
  }, { onError: (e) => (f.error = e), ...options });
  return f;
}

function random(seed) {
  let a = seed >>> 0;
  return (n) => { // mulberry32
    a = (a + 0x6d2b79f5) >>> 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % n;
  };
}

async function world(t, env) {
  const server = await Server.start(t, env);
  await server.sql("CREATE NAMESPACE app");
  await server.sql("CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, grp INT NOT NULL, n BIGINT, text TEXT)");
  await server.sql("CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY) WITH (ACCESS = 'public')");
  const client = (options = {}) => {
    const c = createClient({ url: server.url, auth: { getToken: () => tokenOf("alice") },
      minBackoffMs: 1, maxBackoffMs: 50, maxAttempts: 200, ...options });
    t.after(() => c.close());
    return c;
  };
  return { server, client };
}

test("live queries on a good network", async (t) => {
  const { server, client } = await world(t);
  const c = client();

  await t.test("tell the result at first and after each commit", async () => {
    await server.sql("INSERT INTO app.t (id, grp, n) VALUES (1, 0, 1), (2, 1, 1), (10, 0, 1)", "alice");
    const all = follow(c, "SELECT id, grp FROM app.t");
    const some = follow(c, "SELECT id FROM app.t WHERE grp = 0");
    const ids = (f) => f.rows?.map((r) => r.id).join(" ");
    await until(() => ids(all) === "1 2 10" && ids(some) === "1 10", "the first result");
    await server.sql("UPDATE app.t SET grp = 0 WHERE id = 2", "alice");
    await until(() => ids(some) === "1 2 10", "a row that enters");
    await server.sql("UPDATE app.t SET grp = 5 WHERE id >= 2", "alice");
    await until(() => ids(some) === "1", "rows that leave");
    await server.sql("DELETE FROM app.t WHERE id = 1", "alice");
    await until(() => ids(some) === "" && ids(all) === "2 10", "a deleted row");
    assert.match(all.state.cursor, /^\d+$/);
    all.stop();
    some.stop();
    const calls = all.calls;
    await server.sql("INSERT INTO app.t (id, grp) VALUES (11, 0)", "alice");
    const open = () => server.rows("SELECT id FROM system.live_queries");
    await until(async () => (await open()).length === 0, "no live query");
    assert.equal(all.calls, calls, "nothing is told after the end");
  });

  await t.test("give bigint when asked, also in keys", async () => {
    const f = follow(client({ bigint: "bigint" }), "SELECT id, n FROM app.t WHERE id > 9007199254740990");
    await server.sql("INSERT INTO app.t (id, grp, n) VALUES (9007199254740995, 0, 1), (9007199254740993, 0, 2)", "alice");
    await until(() => f.rows?.length === 2, "two rows");
    assert.deepEqual(f.rows, [{ id: 9007199254740993n, n: 2n }, { id: 9007199254740995n, n: 1n }]);
    f.stop();
  });

  await t.test("end with the server's reason when that is final", async () => {
    for (const [sql, code] of [["SELECT * FROM app.nothing", "TABLE_NOT_FOUND"],
      ["SELECT * FROM app.s", "LIVE_SHARED_TABLE"], ["no query", "INVALID_SQL"]]) {
      const f = follow(c, sql);
      await until(() => f.error, sql);
      assert.equal(f.error.code, code);
      assert.equal(f.calls, 0);
    }
    const forged = follow(client({ auth: { token: "forged" } }), "SELECT * FROM app.t");
    await until(() => forged.error, "a refused token");
    assert.equal(forged.error.code, "INVALID_CREDENTIALS");
    await server.sql("CREATE USER TABLE app.gone (id BIGINT PRIMARY KEY)");
    const f = follow(c, "SELECT id FROM app.gone", { policy: "replay" });
    await until(() => f.calls, "a result");
    await server.sql("DROP TABLE app.gone");
    await until(() => f.error, "the end of a dropped table's query");
    assert.equal(f.error.code, "TABLE_NOT_FOUND");
  });

  await t.test("tell events with the cursor to go on from", async () => {
    const events = [];
    const s = c.subscribe("SELECT id FROM app.t WHERE id >= 100 AND id < 200", (e) => {
      events.push(e);
      if (e.commit) assert.equal(s.cursor, e.seq);
    }, { batchSize: 1 });
    await until(() => events.at(-1)?.ready, "a snapshot");
    await server.sql("INSERT INTO app.t (id, grp) VALUES (100, 0), (101, 0)", "alice");
    await until(() => events.at(-1)?.commit, "a commit");
    assert.deepEqual(events.slice(-2).map((e) => [e.type, e.rows[0].id, e.commit]),
      [["insert", "100", false], ["insert", "101", true]]);
    const { cursor } = s;
    s.close();
    await server.sql("UPDATE app.t SET n = 9 WHERE id = 101", "alice"); // is not shown
    await server.sql("DELETE FROM app.t WHERE id = 100", "alice");
    const later = [];
    const again = c.subscribe("SELECT id FROM app.t WHERE id >= 100 AND id < 200",
      (e) => later.push(e), { from: cursor });
    await until(() => later.some((e) => e.type === "delete"), "what was missed");
    assert.deepEqual(later.filter((e) => e.type !== "snapshot").map((e) => [e.type, e.old[0].id]),
      [["delete", "100"]]);
    again.close();
    assert.ok(again.closed);
  });

  await t.test("tell appended text as what was appended", async () => {
    await server.sql("INSERT INTO app.t (id, grp, text) VALUES (500, 0, 'grüße')", "alice");
    const f = follow(c, "SELECT id, text FROM app.t WHERE id = 500");
    const events = [];
    const s = c.subscribe("SELECT id, text FROM app.t WHERE id = 500", (e) => events.push(e));
    await until(() => f.calls && events.length, "the row");
    for (const piece of [" und", " küsse", " 😀"]) {
      await server.sql(`UPDATE app.t SET text = CONCAT(text, '${piece}') WHERE id = 500`, "alice");
    }
    await until(() => f.rows[0].text === "grüße und küsse 😀", "the whole text");
    await until(() => events.length === 4, "three events");
    assert.deepEqual(events.slice(1).map((e) => e.append),
      [{ column: "text", offset: 7, text: " und" }, { column: "text", offset: 11, text: " küsse" },
        { column: "text", offset: 18, text: " 😀" }]);
    f.stop();
    s.close();
  });

  await t.test("without a WebSocket ask for one", () => {
    const { WebSocket } = globalThis;
    try {
      globalThis.WebSocket = undefined;
      assert.throws(() => client().subscribe("SELECT 1", () => undefined), { code: "UNSUPPORTED" });
      let made;
      class Own extends WebSocket {
        constructor(url) {
          super(url);
          made = url;
        }
      }
      const s = client({ WebSocket: Own }).subscribe("SELECT id FROM app.t", () => undefined);
      return until(() => made, "a socket of the class that was handed in").then(() => {
        assert.equal(made, server.url.replace("http", "ws") + "/v1/ws");
        s.close();
      });
    } finally {
      globalThis.WebSocket = WebSocket;
    }
  });

  await t.test("show the rows of whoever is logged in", async () => {
    await server.sql("CREATE USER 'erik' WITH PASSWORD 'a-password-of-tests' ROLE user");
    await server.sql("CREATE USER 'fria' WITH PASSWORD 'a-password-of-tests' ROLE user");
    await server.sql("INSERT INTO app.t (id, grp, text) VALUES (1, 0, 'of erik')", "erik");
    await server.sql("INSERT INTO app.t (id, grp, text) VALUES (2, 0, 'of fria')", "fria");
    const k = client({ auth: { user: "erik", password: "a-password-of-tests" } });
    const f = follow(k, "SELECT text FROM app.t", { key: ["text"] });
    await until(() => f.rows?.[0]?.text === "of erik", "the first user's rows");
    await k.login("fria", "a-password-of-tests");
    await until(() => f.rows?.length === 1 && f.rows[0].text === "of fria", "the second user's rows");
    await k.logout();
    await until(() => f.error, "the end");
    assert.equal(f.error.code, "AUTH_REQUIRED");
  });
});

test("a login that ends is renewed on the open socket", async (t) => {
  const { server, client } = await world(t, { KALAMDB_AUTH_ACCESS_TTL: "3s" });
  await server.sql("CREATE USER 'carol' WITH PASSWORD 'a-password-of-tests' ROLE user");
  const c = client({ auth: { user: "carol", password: "a-password-of-tests" } });
  let opened = 0;
  c.onConnection((connected) => (opened += connected ? 1 : 0));
  const f = follow(c, "SELECT id FROM app.t");
  await until(() => f.calls === 1, "a result");
  for (const start = Date.now(); Date.now() - start < 5000;) await wait(200);
  await server.sql("INSERT INTO app.t (id, grp) VALUES (1, 0)", "carol");
  await until(() => f.rows.length === 1, "a change after the first token's end");
  assert.equal(opened, 1, "one connection served all");
});

test("live queries on a bad network end as the table is", async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  t.diagnostic(`seed ${seed}`);
  const rand = random(seed);
  const { server, client } = await world(t);
  const proxy = await Proxy.start(t, server.url);
  const c = client({ url: proxy.url, pingIntervalMs: 300 });
  const queries = ["SELECT * FROM app.t", "SELECT * FROM app.t WHERE grp = 1",
    "SELECT id, text FROM app.t WHERE grp <> 0 AND n % 2 = 0"];
  const live = queries.map((q) => follow(c, q));
  let next = 1;
  let wrong = 0;
  c.subscribe("SELECT id FROM app.t WHERE id >= 1000", (e) => {
    for (const r of e.rows ?? []) {
      if (e.type === "insert" && Number(r.id) === 1000 + next) next++;
      else wrong++;
    }
  });
  await until(() => live.every((f) => f.calls > 0), "first results");
  for (let i = 1; i <= 300; i++) {
    const id = rand(50);
    const sql = [
      `INSERT INTO app.t (id, grp, n, text) VALUES (${id}, 0, ${i}, 'ä'), (${id + 1}, 1, ${i}, 'b') ` +
        "ON CONFLICT (id) DO UPDATE SET grp = excluded.grp, n = excluded.n",
      `UPDATE app.t SET grp = (grp + 1) % 3, n = ${i} WHERE id BETWEEN ${id} AND ${id + 5}`,
      `UPDATE app.t SET text = '${"x".repeat(rand(300))} ${i}' WHERE id = ${id}`,
      `UPDATE app.t SET text = CONCAT(text, ' größe ${i}') WHERE id = ${id}`,
      `DELETE FROM app.t WHERE id BETWEEN ${id} AND ${id + 2}`,
    ][rand(5)];
    await c.query(sql);
    await c.query(`INSERT INTO app.t (id, grp, n) VALUES (${1000 + i}, 9, 0)`);
    switch (rand(24)) {
      case 0: proxy.cut(); break;
      case 1: case 2: proxy.cutAfter(rand(3000)); break;
      case 3:
        proxy.stall(true);
        await wait(20);
        proxy.stall(false);
        break;
    }
    if (i === 150) await server.crash();
  }
  await until(() => next === 301, "each insert");
  assert.equal(wrong, 0, "an event came twice or out of order");
  for (const [i, f] of live.entries()) {
    const want = JSON.stringify(await server.rows(queries[i], "alice"));
    await until(() => JSON.stringify(f.rows) === want, queries[i], 20_000).catch(() => {
      assert.fail(`${queries[i]}: ${f.error ?? ""}\n${JSON.stringify(f.rows)}\nis not\n${want}`);
    });
  }
  assert.ok(proxy.cuts > 15, `only ${proxy.cuts} cuts`);
});

test("a server that says nothing more is given up", async (t) => {
  const { server, client } = await world(t);
  const proxy = await Proxy.start(t, server.url);
  const states = [];
  const c = client({ url: proxy.url, pingIntervalMs: 20 });
  c.onConnection((connected, e) => states.push(connected || e.code));
  const f = follow(c, "SELECT id FROM app.t");
  await until(() => f.calls, "a result");
  proxy.stall(true);
  await until(() => states.length >= 3, "another connection");
  assert.deepEqual(states.slice(0, 3), [true, "UNREACHABLE", true]);
  await server.sql("INSERT INTO app.t (id, grp) VALUES (1, 0)", "alice");
  await until(() => f.rows.length === 1, "a change");
});
