import { KalamError } from "./errors.js";
import { Http, type Credentials } from "./http.js";
import type { Auth, Settings, Tokens } from "./options.js";
import type { User, WireTokens } from "./wire.js";

/** How long before its end a token is renewed, at most a fifth of its life. */
const renewAheadMs = 30_000;

/** Keeps the access token: however many requests find it expired, one renews it. */
export class Login implements Credentials {
  private readonly http: Http;
  private tokens: Tokens | undefined;
  private given = ""; // the last token of getToken
  private renewAt = Infinity;
  private running: Promise<string> | undefined;

  constructor(
    private readonly settings: Settings,
    private auth: Auth | undefined,
  ) {
    this.http = new Http(settings, this);
    if (auth && "tokens" in auth) this.keep(auth.tokens);
  }

  get renewable(): boolean {
    const a = this.auth;
    return a !== undefined && !("token" in a);
  }

  async token(expired?: string): Promise<string | undefined> {
    const a = this.auth;
    if (a === undefined) return undefined;
    if ("token" in a) return a.token;
    const now = "getToken" in a ? this.given : this.tokens?.accessToken;
    if (now && now !== expired && Date.now() < this.renewAt) return now;
    this.running ??= this.renew().finally(() => (this.running = undefined));
    return this.running;
  }

  async login(user: string, password: string): Promise<User> {
    const t = await this.post("login", { user, password });
    this.auth = { user, password };
    this.store(t);
    return t.user;
  }

  async refresh(): Promise<User> {
    const refresh = this.tokens?.refreshToken;
    if (!refresh) {
      throw new KalamError("AUTH_REQUIRED", "there is no login to refresh; log in first");
    }
    const t = await this.post("refresh", { refresh_token: refresh });
    this.store(t);
    return t.user;
  }

  async logout(): Promise<void> {
    const t = this.tokens;
    this.auth = undefined;
    this.tokens = undefined;
    this.given = "";
    this.settings.onTokens(undefined);
    if (t) {
      await this.http.send({
        method: "POST", path: "/v1/api/auth/logout", anonymous: true,
        headers: { Authorization: `Bearer ${t.accessToken}` },
        json: { refresh_token: t.refreshToken },
      }, () => undefined);
    }
  }

  private async renew(): Promise<string> {
    const a = this.auth;
    if (a && "getToken" in a) {
      this.given = await a.getToken(this.given || undefined);
      if (!this.given) throw new KalamError("AUTH_REQUIRED", "getToken gave no token");
      return this.given;
    }
    const password = a && "password" in a ? a : undefined;
    if (this.tokens?.refreshToken) {
      try {
        await this.refresh();
        return this.tokens.accessToken;
      } catch (e) {
        const refused = e instanceof KalamError &&
          ["INVALID_CREDENTIALS", "TOKEN_EXPIRED", "AUTH_REQUIRED"].includes(e.code);
        if (!refused || !password) throw e;
      }
    }
    if (!password) throw new KalamError("AUTH_REQUIRED", "the login has ended; log in again");
    const t = await this.post("login", { user: password.user, password: password.password });
    this.store(t);
    return t.accessToken;
  }

  private async post(what: string, json: unknown): Promise<Tokens> {
    const w = await this.http.json<WireTokens>({
      method: "POST", path: `/v1/api/auth/${what}`, json, anonymous: true, repeatable: true,
    });
    return {
      accessToken: w.access_token,
      refreshToken: w.refresh_token || this.tokens?.refreshToken || "",
      expiresAt: new Date(w.expires_at),
      refreshExpiresAt: new Date(w.refresh_expires_at),
      user: w.user,
    };
  }

  private store(t: Tokens): void {
    this.keep(t);
    this.settings.onTokens(t);
  }

  private keep(t: Tokens): void {
    this.tokens = t;
    const left = new Date(t.expiresAt).getTime() - Date.now();
    // When clocks differ it is left to the server to say that a token has expired.
    this.renewAt = left > 0 ? Date.now() + left - Math.min(renewAheadMs, left / 5) : Infinity;
  }
}
