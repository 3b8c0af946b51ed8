import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Server } from "./server.mjs";

const root = resolve(import.meta.dirname, "..");

test("the README's lines run", async (t) => {
  const server = await Server.start(t);
  await server.sql("CREATE NAMESPACE chat");
  await server.sql("CREATE USER TABLE chat.messages (id BIGINT AUTO_INCREMENT PRIMARY KEY, content TEXT NOT NULL)");
  await server.sql("CREATE USER 'alice' WITH PASSWORD 'wonderland' ROLE user");
  const [, code] = /```js example\n([^]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"));
  const dir = mkdtempSync(join(tmpdir(), "kalamdb-readme-"));
  t.after(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "node_modules/@kalamdb"), { recursive: true });
  symlinkSync(root, join(dir, "node_modules/@kalamdb/client"));
  writeFileSync(join(dir, "example.mjs"), code.replace("http://localhost:8080", server.url));
  const { stdout } = await promisify(execFile)(process.execPath,
    ["--experimental-websocket", "--no-warnings", "example.mjs"], { cwd: dir, timeout: 30_000 });
  assert.match(stdout, /1 row\(s\)/);
});
