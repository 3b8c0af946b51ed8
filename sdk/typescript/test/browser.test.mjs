import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { Proxy } from "./proxy.mjs";
import { end, Server, tokenOf, until } from "./server.mjs";

const root = resolve(import.meta.dirname, "..");

function browser() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore", timeout: 20_000 });
      return name;
    } catch {
      // not this one
    }
  }
  return undefined;
}

function removed(dir) {
  try {
    rmSync(dir, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

const found = browser();

test("in a browser", { skip: found ? false : "no Chromium is installed" }, async (t) => {
  let reported;
  const report = new Promise((done) => (reported = done));
  let proxy;
  const pages = createServer(async (req, res) => {
    const { pathname } = new URL(req.url, "http://x");
    if (req.method === "POST") {
      let body = "";
      for await (const part of req) body += part;
      if (pathname === "/report") reported(JSON.parse(body));
      if (pathname === "/cut") proxy.cut();
      return res.end();
    }
    if (pathname === "/") {
      res.setHeader("Content-Type", "text/html");
      return res.end("<!doctype html><script type=module src=/test/page.mjs></script>");
    }
    try {
      const text = readFileSync(join(root, pathname));
      res.setHeader("Content-Type", "text/javascript");
      return res.end(text);
    } catch {
      res.statusCode = 404;
      return res.end();
    }
  });
  await new Promise((done) => pages.listen(0, "127.0.0.1", done));
  t.after(() => {
    pages.closeAllConnections();
    pages.close();
  });
  const origin = `http://127.0.0.1:${pages.address().port}`;
  const server = await Server.start(t, { KALAMDB_AUTH_ALLOWED_ORIGINS: origin });
  await server.sql("CREATE NAMESPACE app");
  await server.sql("CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, text TEXT)");
  proxy = await Proxy.start(t, server.url);
  const home = mkdtempSync(join(tmpdir(), "kalamdb-chromium-"));
  const page = `${origin}/?${new URLSearchParams({ url: server.url, proxied: proxy.url, token: tokenOf("alice") })}`;
  const chromium = spawn(found, ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    `--user-data-dir=${home}`, "--remote-debugging-port=0", page], { stdio: "ignore" });
  t.after(async () => {
    await end(chromium);
    await until(() => removed(home), "the profile's folder is gone"); // its processes end later
  });
  const limit = setTimeout(() => reported({ error: "the page reported nothing" }), 60_000);
  const got = await report;
  clearTimeout(limit);
  assert.deepEqual(got, { ids: Array.from({ length: 40 }, (_, i) => i).join(), type: "bigint",
    text: "grüße 😀", direct: true, wrong: "TABLE_NOT_FOUND" });
  assert.ok(proxy.cuts >= 4, `${proxy.cuts} cuts`);
});
