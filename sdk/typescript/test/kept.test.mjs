import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../dist/index.js";
import { Proxy } from "./proxy.mjs";
import { Server, tokenOf, until } from "./server.mjs";

test("windows and aggregates", async (t) => {
  const server = await Server.start(t);
  await server.sql("CREATE NAMESPACE app");
  await server.sql("CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, grp INT NOT NULL, n BIGINT NOT NULL)");
  const proxy = await Proxy.start(t, server.url);
  const c = createClient({ url: proxy.url, auth: { getToken: () => tokenOf("alice") },
    minBackoffMs: 1, maxBackoffMs: 50, maxAttempts: 200 });
  t.after(() => c.close());
  const window = "SELECT * FROM app.t ORDER BY n DESC, id LIMIT ";
  const sums = "SELECT grp, COUNT(*) AS rows_of, SUM(n) AS total FROM app.t GROUP BY grp";
  const follow = (sql) => {
    const f = { sql };
    f.stop = c.live(sql, (rows) => (f.rows = rows), { onError: (e) => (f.error = e) });
    return f;
  };
  const same = async (f, sql = f.sql) => {
    const text = (rows) => JSON.stringify(sql === sums ? [...(rows ?? [])].sort((a, b) => a.grp - b.grp) : rows);
    const want = text(await server.rows(sql, "alice"));
    await until(() => text(f.rows) === want, sql, 20_000).catch(() => {
      assert.fail(`${sql}: ${f.error ?? ""}\n${text(f.rows)}\nis not\n${want}`);
    });
  };
  const list = Array.from({ length: 30 }, (_, i) => `(${i}, ${i % 3}, ${i % 7})`);
  await server.sql(`INSERT INTO app.t (id, grp, n) VALUES ${list.join()}`, "alice");
  const top = follow(window + 5);
  const groups = follow(sums);
  await until(() => top.rows || top.error, "a first answer");
  await same(top);
  await same(groups);
  for (let i = 0; i < 60; i++) {
    await c.query("UPDATE app.t SET n = (n + $1) % 7, grp = (grp + 1) % 4 WHERE id BETWEEN $2 AND $3",
      [i, i % 29, (i % 29) + 3]);
    if (i % 9 === 4) proxy.cutAfter(i * 20);
    if (i % 9 === 8) proxy.cut();
  }
  await same(top);
  await same(groups);
  assert.equal(await top.stop.loadOlder(10), true);
  await same(top, window + 15);
  proxy.cut();
  await c.query("DELETE FROM app.t WHERE id < 10");
  await same(top, window + 15);
  assert.equal(await top.stop.loadOlder(10), false);
  await same(top, window + 25);
  await assert.rejects(groups.stop.loadOlder(1), { code: "LIVE_UNSUPPORTED_QUERY" });
  await c.query("DELETE FROM app.t WHERE grp = 1");
  await same(groups);
});
