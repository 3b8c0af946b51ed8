// Runs the query on its input in DuckDB, all columns of which are texts, and
// prints the rows as a JSON array of arrays.
import { text } from "node:stream/consumers";
import { DuckDBInstance } from "@duckdb/node-api";

const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
const reader = await connection.runAndReadAll(await text(process.stdin));
process.stdout.write(JSON.stringify(reader.getRowsJson()));
connection.closeSync();
instance.closeSync();
