import assert from "node:assert/strict";
import { test } from "node:test";
import { Rowset, Inconsistent } from "../dist/rowset.js";
import { utf8Length } from "../dist/values.js";

const column = (name, data_type, ...flags) => ({ name, data_type, index: 0, flags });
const schema = [column("id", "BigInt", "pk", "nn"), column("text", "Text")];

function rowset(rows, options) {
  const { key, merged = false, columns = schema } = options ?? {};
  const set = new Rowset(key, merged);
  set.load({ type: "snapshot", rows, ready: true, schema: columns });
  return {
    set,
    shown: () => set.rows().map((x) => Object.values(x).join("=")).join(" "),
    apply: (...changes) => set.apply(changes.map((c) => ({
      rows: [], old: [], seq: "1", commit: true, schema: columns, ...c,
    }))),
  };
}

const row = (id, text = "") => ({ id, text });
const insert = (id, text, more) => ({ type: "insert", rows: [row(id, text)], ...more });
const update = (id, text, more) => ({ type: "update", rows: [row(id, text)], ...more });
const remove = (id) => ({ type: "delete", old: [{ id }] });

test("keeps the order of the key", () => {
  const r = rowset([row("2", "b"), row("10", "j")]);
  r.apply(insert("9", "i"));
  r.apply(insert("-1", "m"), insert("100", "z"), update("10", "J"), remove("2"));
  assert.equal(r.shown(), "-1=m 9=i 10=J 100=z");
});

test("sorts keys of each type as the server does", () => {
  const cases = [
    ["BigInt", ["-9007199254740993", "-2", "9", "10", "9007199254740993"]],
    ["Int", [-5, 2, 10]],
    ["Text", ["", "B", "a", "a\u0000", "ab", "é", "\uffff", "😀"]],
    ["Timestamp", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000006Z", "2026-01-02T03:04:06Z"]],
    ["Date", ["1999-12-31", "2026-01-02"]],
  ];
  for (const [type, keys] of cases) {
    const columns = [column("k", type, "pk")];
    const shuffled = [...keys.slice(1), keys[0]];
    const r = rowset([], { columns });
    for (const k of shuffled) r.apply({ type: "insert", rows: [{ k }] });
    assert.deepEqual(r.set.rows().map((x) => x.k), keys, type);
  }
});

test("applies a commit whole or not at all", () => {
  const r = rowset([row("1", "a"), row("2", "b")]);
  assert.throws(() => r.apply(remove("1"), remove("7")), Inconsistent);
  assert.equal(r.shown(), "1=a 2=b");
});

test("follows the positions of a window", () => {
  const r = rowset([row("30"), row("20"), row("10")]);
  r.apply(remove("10"));
  r.apply(insert("40", "d", { position: 0 }));
  r.apply(update("40", "e", { position: 2 }));
  r.apply(update("20", "z", { position: 0 }));
  assert.equal(r.shown(), "20=z 30= 40=e");
  assert.throws(() => r.apply(insert("5", "", { position: 9 })), Inconsistent);
});

test("grows by older rows and takes equal rows out by their place", () => {
  const r = rowset([row("30"), row("20")]);
  r.set.extendBy({ rows: [row("10"), row("9")], schema });
  r.apply(remove("10"));
  assert.equal(r.shown(), "30= 20= 9=");
  assert.throws(() => r.set.extendBy({ rows: [row("8"), row("9")], schema }), Inconsistent);
  assert.equal(r.shown(), "30= 20= 9=");
  const same = rowset([row("1", "a"), row("2", "b"), row("1", "a")], { key: [] });
  same.apply({ type: "delete", position: 0, old: [row("1", "a")] });
  assert.equal(same.shown(), "2=b 1=a");
  assert.throws(() => same.apply({ type: "delete", position: 0, old: [row("1", "a")] }), Inconsistent);
});

test("appends text at its offset in bytes", () => {
  const r = rowset([row("1", "grüße 😀")]);
  const append = (offset, text) => ({
    type: "update", rows: [{ id: "1", _seq: "5" }], append: { column: "text", offset, text },
  });
  assert.equal(utf8Length("grüße 😀"), 12);
  r.apply(append(12, "!"));
  r.apply(append(13, "?"));
  assert.equal(r.shown(), "1=grüße 😀!?");
  assert.throws(() => r.apply(append(13, "again")), Inconsistent);
  const shown = rowset([{ ...row("1", "a"), _seq: "4" }, row("2", "b")]);
  shown.apply(append(1, "!"));
  assert.deepEqual(shown.set.rows().map((x) => x._seq), ["5", undefined]);
});

test("takes the whole row where there is no key", () => {
  const r = rowset([row("1", "a"), row("1", "a")], { key: [] });
  r.apply(insert("2", "b"));
  r.apply(update("2", "c", { old: [{ text: "b" }] }));
  r.apply({ type: "delete", old: [row("1", "a")] });
  assert.equal(r.shown(), "1=a 2=c");
});

test("takes merged changes as they come, and no others", () => {
  const merged = rowset([row("1", "a")], { merged: true });
  merged.apply(insert("1", "again"), update("2", "b"), remove("9"));
  assert.equal(merged.shown(), "1=again 2=b");
  const strict = rowset([row("1", "a")]);
  for (const bad of [insert("1", "again"), update("2", "b"), remove("9"), { type: "update", old: [{ id: "1" }] }]) {
    assert.throws(() => strict.apply(bad), Error, JSON.stringify(bad));
    assert.equal(strict.shown(), "1=a");
  }
});

test("asks for the columns of the key", () => {
  assert.throws(() => rowset([row("1")], { key: ["other"] }), { code: "INVALID_PARAMETER" });
  assert.throws(() => rowset([row("1", "a"), row("1", "b")]), { code: "INVALID_PARAMETER" });
});
