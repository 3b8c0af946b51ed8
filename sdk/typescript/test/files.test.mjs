// A server without the capability of files answers otherwise, so that a small
// one stands in for the part of the contract that the methods speak.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { createClient } from "../dist/index.js";

test("files", async (t) => {
  const files = new Map();
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, "http://x");
    const [ns, ...rest] = url.pathname.slice("/v1/files/".length).split("/").map(decodeURIComponent);
    const path = rest.join("/");
    assert.equal(ns, "app");
    assert.equal(req.headers.authorization, "Bearer t");
    const fail = (status, code) => {
      res.statusCode = status;
      res.end(JSON.stringify({ status: "error", error: { code, message: code, retryable: false } }));
    };
    if (req.method === "PUT") {
      const parts = [];
      for await (const p of req) parts.push(p);
      const data = Buffer.concat(parts);
      const etag = `"${createHash("sha256").update(data).digest("hex")}"`;
      files.set(path, { data, etag, type: req.headers["content-type"] });
      res.setHeader("ETag", etag);
      return res.end();
    }
    if (rest.length === 0) {
      const prefix = url.searchParams.get("prefix") ?? "";
      return res.end(JSON.stringify({ files: [...files].filter(([p]) => p.startsWith(prefix))
        .map(([p, f]) => ({ path: p, size: f.data.length, etag: f.etag, content_type: f.type })) }));
    }
    const f = files.get(path);
    if (!f) return fail(404, "FILE_NOT_FOUND");
    if (req.method === "DELETE") {
      files.delete(path);
      return res.end();
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? "");
    const data = range ? f.data.subarray(Number(range[1]), range[2] ? Number(range[2]) + 1 : undefined) : f.data;
    res.statusCode = range ? 206 : 200;
    res.setHeader("ETag", f.etag);
    res.setHeader("Content-Type", f.type);
    res.setHeader("Content-Length", data.length);
    res.end(req.method === "HEAD" ? undefined : data);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const c = createClient({ url: `http://127.0.0.1:${server.address().port}`, auth: { token: "t" },
    namespace: "app", maxAttempts: 1 });
  const f = c.files();
  const put = await f.put("a b/ü.txt", "grüße", "text/plain");
  assert.equal(put.size, 7);
  assert.match(put.etag, /^"[0-9a-f]{64}"$/);
  await f.put("a b/bytes", new Uint8Array([1, 2, 3]));
  await f.put("other", new Blob(["blob"]));
  assert.equal(await (await f.get("a b/ü.txt")).text(), "grüße");
  assert.deepEqual([...new Uint8Array(await (await f.get("a b/bytes", { start: 1, end: 2 })).arrayBuffer())], [2]);
  assert.equal(await (await f.get("other", { start: 2 })).text(), "ob");
  assert.deepEqual(await f.head("a b/ü.txt"),
    { path: "a b/ü.txt", size: 7, etag: put.etag, contentType: "text/plain" });
  assert.deepEqual((await f.list("a b/")).map((x) => x.path), ["a b/ü.txt", "a b/bytes"]);
  await f.delete("other");
  assert.equal((await f.list()).length, 2);
  await assert.rejects(f.get("other"), { code: "FILE_NOT_FOUND" });
  for (const bad of ["", "/x", "a//b", "../x", "a/."]) {
    await assert.rejects(async () => f.get(bad), { code: "INVALID_PARAMETER" }, bad);
  }
  await assert.rejects(f.get("a b/bytes", { start: 2, end: 2 }), { code: "INVALID_PARAMETER" });
  assert.throws(() => createClient({ url: "http://x" }).files(), { code: "INVALID_PARAMETER" });
});
