// Uses openapi-fetch with the types that openapi-typescript makes. See clients_test.go for what it must print.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { env: { [name: string]: string }; argv: string[] };
type State = components["schemas"]["TokenState"];

const owner = process.argv[2];
const connect = (token: string) =>
  createClient<paths>({ baseUrl: process.env.APITOKEN_URL, headers: { Authorization: `Bearer ${token}` } });
const client = connect(process.env.APITOKEN_TOKEN);

// answered returns the answer of a call that has to succeed.
async function answered<T>(call: Promise<{ data?: T; error?: components["schemas"]["Problem"] }>): Promise<T> {
  const { data, error } = await call;
  if (data === undefined) throw new Error(error?.detail ?? "no answer");
  return data;
}

const create = (name: string) =>
  answered(client.POST("/v1/auth/access-tokens", { body: { user: { name: owner }, name, expires_in: "1D" } }));
const revoke = (id: string) =>
  answered(client.DELETE("/v1/auth/access-tokens/{id}", { params: { path: { id } } }));

const made = [await create("first"), await create("second")];
console.log("created", made[0].id, made[1].id);
console.log("caller", (await answered(connect(made[0].bearer_token).GET("/v1/session/who-am-i"))).name);
await revoke(made[1].id);

const state: State[] = ["active", "revoked"];
const list = (after?: string) =>
  answered(client.GET("/v1/auth/access-tokens", { params: { query: { user: owner, state, limit: 1, after } } }));
const page = await list();
const rest = await list(page.paging.after);
for (const token of [...page.entries, ...rest.entries]) console.log("listed", token.id, token.name, token.state);
console.log("more", rest.paging.after.length);

const history = (query: { after?: string; limit?: number }) =>
  answered(client.GET("/v1/users/{user}/events", { params: { path: { user: owner }, query } }));
const records = await history({ limit: 2 });
const others = await history({ after: records.paging.after });
console.log("records", records.entries.length + others.entries.length);

await revoke(made[0].id);
const shown = await client.GET("/v1/auth/access-tokens/{id}", { params: { path: { id: made[0].id } } });
console.log("then", shown.error?.code);
