// Runs each test file in a process group of its own, and kills the group when
// it takes too long: a process can hang where none of its own timers run.
// Usage: node test/run.mjs [file...]
import { execFileSync, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const within = Number(process.env.KALAM_TEST_FILE_MS ?? 150_000);
const named = process.argv.slice(2);
const files = named.length > 0 ? named : readdirSync(import.meta.dirname).sort()
  .filter((f) => f.endsWith(".test.mjs")).map((f) => join(import.meta.dirname, f));
const flags = ["--experimental-websocket", "--no-warnings", "--test", `--test-timeout=${within}`];
let group;

/** Tells which processes of a group are there. */
function members(id) {
  try {
    return execFileSync("ps", ["-eo", "pgid=,pid=,stat=,args="], { encoding: "utf8" }).split("\n")
      .filter((line) => parseInt(line) === id && !/^\s*\d+\s+\d+\s+Z/.test(line))
      .map((line) => line.slice(0, 200));
  } catch {
    return ["(no ps to tell which)"];
  }
}

/** Kills a group and returns whether it was there. */
function kill(id) {
  try {
    process.kill(-id, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

async function run(file) {
  const child = spawn(process.execPath, [...flags, file], { detached: true, stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise((done) => {
    child.once("exit", (code, signal) => done(code ?? signal));
    child.once("error", done);
  });
  group = child.pid;
  let late;
  const limit = setTimeout(() => {
    late = members(child.pid);
    kill(child.pid);
  }, within + 10_000);
  const result = await ended;
  clearTimeout(limit);
  group = undefined;
  if (child.pid !== undefined) kill(child.pid);
  if (late) console.error(`${file} did not end within ${within + 10_000} ms; killed:\n${late.join("\n")}`);
  return !late && result === 0;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    if (group !== undefined) kill(group);
    process.exit(1);
  });
}

const failed = [];
for (const file of files) {
  console.log(`# ${file}`);
  if (!await run(file)) failed.push(file);
}
if (failed.length > 0) {
  console.error(`failed:\n${failed.join("\n")}`);
  process.exitCode = 1;
}
