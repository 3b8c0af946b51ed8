// Against a WebSocket that the test plays itself: what a real server does
// seldom, or not yet.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../dist/index.js";
import { until } from "./server.mjs";

const schema = [{ name: "id", data_type: "BigInt", index: 0, flags: ["pk", "nn"] },
  { name: "text", data_type: "Text", index: 1 }];

/** A client and the sockets that it opens. */
function stage(t, options = {}) {
  const sockets = [];
  class Played {
    constructor() {
      this.sent = [];
      sockets.push(this);
      queueMicrotask(() => this.onopen?.({}));
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.closed = true;
    }
    say(...messages) {
      for (const m of messages) this.onmessage({ data: JSON.stringify(m) });
    }
    /** Waits for a message of the client. */
    async got(type, n = 1) {
      return until(() => this.sent.filter((m) => m.type === type)[n - 1], `${type} of the client`, 5000);
    }
    /** Answers a subscribe with a whole snapshot. */
    begin(id, rows, seq = "100") {
      this.say({ type: "subscription_ack", subscription_id: id, schema, schema_version: 1 },
        batch(id, rows, seq));
    }
  }
  const c = createClient({ url: "http://x", WebSocket: Played, minBackoffMs: 1, maxBackoffMs: 5, ...options });
  t.after(() => c.close());
  return { c, sockets, socket: async (n) => until(() => sockets[n - 1], `socket ${n}`, 5000) };
}

const rows = (...ids) => ids.map((id) => ({ id: String(id), text: `t${id}` }));
const batch = (id, list, seq, more = false) => ({ type: "initial_data_batch", subscription_id: id, rows: list,
  batch_control: { batch_num: 0, has_more: more, status: "ready", last_seq_id: seq } });
const change = (id, seq, kind, more) => ({ type: "change", subscription_id: id, change_type: kind,
  seq: String(seq), commit: true, ...more });

test("a window grows, and comes back grown", async (t) => {
  const { c, socket } = stage(t);
  const seen = [];
  const stop = c.live("SELECT", (list) => seen.push(list.map((r) => r.id).join(" ")));
  const one = await socket(1);
  await one.got("subscribe");
  one.begin("s1", rows(30, 20));
  await until(() => seen.at(-1) === "30 20", "the window");

  const refused = stop.loadOlder(2);
  assert.deepEqual(await one.got("load_older"), { type: "load_older", subscription_id: "s1", count: 2 });
  one.say({ type: "error", subscription_id: "s1", code: "LIVE_UNSUPPORTED_QUERY", message: "no window" });
  await assert.rejects(refused, { code: "LIVE_UNSUPPORTED_QUERY" });

  const older = stop.loadOlder(2);
  await one.got("load_older", 2);
  one.say(batch("s1", rows(10, 9), "101", true));
  assert.equal(await older, true);
  one.say(change("s1", 102, "delete", { position: 2, old_values: [{ id: "10" }] }),
    change("s1", 103, "insert", { position: 0, rows: rows(40) }));
  await until(() => seen.at(-1) === "40 30 20 9", "the grown window");

  one.onclose({ code: 1006, reason: "" });
  const two = await socket(2);
  const again = await two.got("subscribe");
  assert.equal(again.subscription.options.from, undefined);
  const before = seen.length;
  two.begin("s2", rows(40, 30), "110");
  assert.equal((await two.got("load_older")).count, 2);
  two.say(batch("s2", rows(20, 8), "110"));
  await until(() => seen.at(-1) === "40 30 20 8", "the window as it was");
  assert.equal(seen.length, before + 1, "the small window was not shown");
  await assert.rejects(stop.loadOlder(0), { code: "INVALID_PARAMETER" });
  stop();
  await assert.rejects(stop.loadOlder(1), { code: "CANCELLED" });
});

test("half a commit is told again after a lost socket, and known commits are not", async (t) => {
  const { c, socket } = stage(t);
  const events = [];
  const s = c.subscribe("SELECT", (e) => events.push(e));
  const one = await socket(1);
  await one.got("subscribe");
  one.begin("s1", rows(1));
  one.say(change("s1", 101, "insert", { rows: rows(2) }),
    change("s1", 105, "insert", { rows: rows(3), commit: false }));
  one.say({ type: "progress", subscription_id: "s1", seq: "104" }); // not inside a commit
  assert.equal(s.cursor, "101");
  one.onclose({ code: 1006, reason: "" });
  const two = await socket(2);
  assert.equal((await two.got("subscribe")).subscription.options.from, "101");
  two.begin("s2", [], "101");
  two.say(change("s2", 101, "insert", { rows: rows(2) }), // known
    change("s2", 105, "insert", { rows: rows(3), commit: false }), change("s2", 106, "insert", { rows: rows(4) }),
    { type: "progress", subscription_id: "s2", seq: "999" },
    change("s1", 107, "insert", { rows: rows(5) })); // of the former socket
  assert.deepEqual(events.map((e) => e.rows.map((r) => r.id).join()), ["1", "2", "3", "4"]);
  assert.equal(s.cursor, "999");
});

test("a resync keeps the rows until the new ones are whole", async (t) => {
  const { c, socket } = stage(t);
  const seen = [];
  c.live("SELECT", (list) => seen.push(list.map((r) => r.id).join(" ")));
  const one = await socket(1);
  await one.got("subscribe");
  one.begin("s1", rows(1, 2));
  await until(() => seen.length === 1, "the rows");
  const part = batch("s1", rows(3), undefined, true);
  part.batch_control.status = "loading";
  one.say({ type: "resync", subscription_id: "s1", reason: "history_trimmed" }, part);
  await one.got("next_batch");
  one.say(batch("s1", rows(4), "200"));
  await until(() => seen.length === 2, "the new rows");
  assert.deepEqual(seen, ["1 2", "3 4"]);
});

test("what does not fit is read anew, and given up when it never fits", async (t) => {
  const { c, socket } = stage(t);
  let error;
  let calls = 0;
  c.live("SELECT", () => calls++, { onError: (e) => (error = e) });
  const one = await socket(1);
  for (let n = 1; n <= 4; n++) {
    await one.got("subscribe", n);
    one.begin(`s${n}`, rows(1));
    await until(() => calls === n, "the rows");
    one.say(change(`s${n}`, 200 + n, "delete", { old_values: [{ id: "7" }] }));
  }
  await until(() => error, "an error");
  assert.equal(error.code, "INTERNAL");
});

test("reasons decide whether to try again", async (t) => {
  for (const [policy, messages, code] of [
    ["replay", [{ type: "unsubscribed", reason: "slow_consumer" }], undefined],
    ["replay", [{ type: "unsubscribed", reason: "shutting_down" }], undefined],
    ["replay", [{ type: "error", code: "STORAGE_UNAVAILABLE", message: "" }], undefined],
    ["replay", [{ type: "error", code: "SUBSCRIPTION_LIMIT", message: "" }], undefined],
    ["replay", [{ type: "error", code: "CURSOR_TOO_OLD", message: "" }], undefined],
    ["disconnect", [{ type: "error", code: "SLOW_CONSUMER", message: "" }], "SLOW_CONSUMER"],
    ["replay", [{ type: "unsubscribed", reason: "access_revoked" }], "PERMISSION_DENIED"],
    ["replay", [{ type: "unsubscribed", reason: "killed" }], "CANCELLED"],
  ]) {
    const { c, socket } = stage(t);
    let error;
    const s = c.subscribe("SELECT", () => undefined, { policy, onError: (e) => (error = e) });
    const one = await socket(1);
    assert.equal((await one.got("subscribe")).subscription.options.policy, policy);
    one.begin("s1", rows(1));
    one.say(...messages.map((m) => ({ subscription_id: "s1", ...m })));
    if (code) {
      assert.equal(error?.code, code);
      assert.equal(s.cursor, "100");
    } else {
      const { options } = (await one.got("subscribe", 2)).subscription;
      assert.equal(options.from, messages[0].code === "CURSOR_TOO_OLD" ? undefined : "100");
      assert.equal(error, undefined);
    }
  }
});

test("close frames say whether to connect again", async (t) => {
  for (const [reason, again] of [["", true], ["going away", true],
    ['{"code":"SHUTTING_DOWN","reconnect":true}', true],
    ['{"code":"PERMISSION_DENIED","reconnect":false,"message":"dropped"}', false],
    ['{"reconnect":false}', false]]) {
    const { c, socket, sockets } = stage(t);
    let error;
    c.subscribe("SELECT", () => undefined, { onError: (e) => (error = e) });
    const one = await socket(1);
    await one.got("subscribe");
    one.onclose({ code: 1000, reason });
    if (again) await socket(2);
    else {
      assert.equal(error.code, reason.includes("DENIED") ? "PERMISSION_DENIED" : "CANCELLED");
      assert.equal(sockets.length, 1);
    }
  }
});

test("a socket that tells of an error only is given up", async (t) => {
  const { c, socket } = stage(t);
  const states = [];
  c.onConnection((connected, e) => states.push(connected || e.code));
  c.subscribe("SELECT", () => undefined);
  const one = await socket(1);
  one.onopen = undefined;
  one.onerror({});
  await socket(2);
  assert.ok(states.includes("UNREACHABLE"), states.join());
});

test("an expired token is replaced once, and a refused one is final", async (t) => {
  const asked = [];
  const { c, socket } = stage(t, { auth: { getToken: (expired) => {
    asked.push(expired);
    return `t${asked.length}`;
  } } });
  let error;
  c.subscribe("SELECT", () => undefined, { onError: (e) => (error = e) });
  const one = await socket(1);
  assert.equal((await one.got("authenticate")).token, "t1");
  one.say({ type: "auth_error", code: "TOKEN_EXPIRED", message: "" });
  const two = await socket(2);
  assert.equal((await two.got("authenticate")).token, "t2");
  two.say({ type: "auth_success" });
  await two.got("subscribe");
  two.say({ type: "auth_expiring", expires_at: "2026-01-01T00:00:00Z" });
  assert.equal((await two.got("authenticate", 2)).token, "t3");
  assert.deepEqual(asked, [undefined, "t1", "t2"]);
  two.say({ type: "auth_error", code: "INVALID_CREDENTIALS", message: "no" });
  assert.equal(error.code, "INVALID_CREDENTIALS");
});
