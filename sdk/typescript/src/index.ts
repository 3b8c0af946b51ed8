/** The client of KalamDB for browsers and Node. */
export { Client, createClient, type QueryOptions, type Result } from "./client.js";
export { KalamError } from "./errors.js";
export type {
  Change, LiveEvent, Older, Policy, Resync, SchemaChange, Snapshot, SubscribeOptions,
} from "./events.js";
export { Files, type FileInfo } from "./files.js";
export type { LiveOptions, LiveState, OnRows, Stop } from "./live.js";
export type { Auth, ClientOptions, SocketClass, SocketLike, Tokens } from "./options.js";
export { Subscription } from "./subscription.js";
export type { BigIntMode, Param, Row, Value } from "./values.js";
export type { Append, Column, Json, User } from "./wire.js";
