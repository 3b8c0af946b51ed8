// Passes TCP connections on and does to them what networks do.
import { connect, createServer } from "node:net";

export class Proxy {
  static async start(t, url) {
    const p = new Proxy();
    p.pairs = new Set();
    p.cuts = 0;
    const { hostname, port } = new URL(url);
    p.server = createServer((client) => p.join(client, connect(Number(port), hostname)));
    await new Promise((done) => p.server.listen(0, "127.0.0.1", done));
    p.url = `http://127.0.0.1:${p.server.address().port}`;
    t.after(() => {
      p.server.close();
      p.cut();
    });
    return p;
  }

  join(client, server) {
    const pair = { client, server, left: Infinity };
    this.pairs.add(pair);
    for (const c of [client, server]) {
      c.on("error", () => this.break(pair));
      c.on("close", () => this.break(pair));
    }
    client.pipe(server);
    server.on("data", (data) => {
      const part = data.subarray(0, Math.min(data.length, pair.left));
      pair.left -= part.length;
      client.write(part, () => pair.left <= 0 && this.break(pair));
    });
  }

  // Not resetAndDestroy: after an end that is not through, Node never gets rid of
  // the handle, and its process spins instead of ending.
  break(pair) {
    if (!this.pairs.delete(pair)) return;
    this.cuts++;
    pair.client.destroy();
    pair.server.destroy();
  }

  /** Breaks all connections now. */
  cut() {
    for (const p of [...this.pairs]) this.break(p);
  }

  /** Breaks them after n more bytes of the server: mostly in the middle of a message. */
  cutAfter(n) {
    for (const p of this.pairs) p.left = n;
  }

  /** Holds back what the server sends. */
  stall(on) {
    for (const p of this.pairs) {
      if (on) p.server.pause();
      else p.server.resume();
    }
  }
}
