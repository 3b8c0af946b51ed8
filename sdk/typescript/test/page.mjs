// Runs in the browser: drives the client and reports what it saw.
import { createClient } from "/dist/index.js";

const { url, token, proxied } = Object.fromEntries(new URLSearchParams(location.search));
const report = (what) => fetch("/report", { method: "POST", body: JSON.stringify(what) });

try {
  const db = createClient({ url: proxied, auth: { getToken: () => token }, bigint: "bigint",
    minBackoffMs: 1, maxBackoffMs: 50, maxAttempts: 100 });
  let rows = [];
  db.live("SELECT id, text FROM app.t", (r) => (rows = r), { onError: (e) => report({ error: String(e) }) });
  for (let i = 0; i < 40; i++) {
    await db.query("INSERT INTO app.t (id, text) VALUES ($1, $2)", [BigInt(i), "grüße 😀"]);
    if (i % 10 === 5) await fetch("/cut", { method: "POST" });
  }
  const end = Date.now() + 20_000;
  while (rows.length < 40 && Date.now() < end) await new Promise((done) => setTimeout(done, 10));
  const wrong = await db.query("SELECT * FROM app.nothing").catch((e) => e.code);
  await report({ ids: rows.map((r) => String(r.id)).join(), type: typeof rows[0]?.id, text: rows[0]?.text,
    direct: url !== proxied, wrong });
  db.close();
} catch (e) {
  await report({ error: `${e}\n${e.stack}` });
}
