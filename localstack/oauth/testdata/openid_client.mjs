// Asks the service as a program with openid-client does, and checks every answer. Prints ok.
//
// The argument is the URL of the service. NODE_EXTRA_CA_CERTS has its certificate. Standard input has the tokens as JSON.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'

const url = process.argv[2]
const given = JSON.parse(readFileSync(0, 'utf8'))
const server = { issuer: url, introspection_endpoint: url + '/v1/oauth/introspect', revocation_endpoint: url + '/v1/oauth/revoke' }
const inactive = { active: false }

// Both ways to send a client secret; openid-client posts it by default. It encodes the dot of a token in the header.
function resourceServer(secret, auth) {
  return new client.Configuration(server, 'resource server:1', secret, auth)
}
const gateways = [resourceServer(given.gateway, client.ClientSecretBasic(given.gateway)), resourceServer(given.gateway)]

async function refused(promise, status, error) {
  const cause = await promise.then((got) => assert.fail(`got ${JSON.stringify(got)}, want ${error}`), (e) => e)
  const told = cause instanceof client.WWWAuthenticateChallengeError ? [cause.status, 'invalid_client'] : [cause.status, cause.error]
  assert.deepEqual(told, [status, error], cause.message)
  return cause
}

async function passes(token) {
  const config = resourceServer('none', client.None())
  return client.fetchProtectedResource(config, token, new URL(url + '/v1/session/who-am-i'), 'GET').then((r) => r.status, (e) => e.status)
}

// A resource server introspects.
for (const gateway of gateways) {
  assert.deepEqual({ ...(await client.tokenIntrospection(gateway, given.scoped, { token_type_hint: 'access_token' })) }, given.expected)
}
const [gateway] = gateways
assert.deepEqual({ ...(await client.tokenIntrospection(gateway, given.ranged)) }, inactive)
assert.equal((await client.tokenIntrospection(gateway, given.ranged, { source_ip: '192.0.2.7' })).active, true)
assert.deepEqual({ ...(await client.tokenIntrospection(gateway, 'hello')) }, inactive)
for (const token of [given.scoped, 'JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F', 'hello']) {
  await refused(client.tokenIntrospection(resourceServer(given.stranger), token), 403, 'insufficient_scope')
}
const challenge = await refused(client.tokenIntrospection(resourceServer('hunter2'), given.scoped), 401, 'invalid_client')
assert.equal(challenge.cause[0].parameters.resource_metadata, url + '/.well-known/oauth-protected-resource')

// A client revokes. It has no credential of its own here.
const anyone = resourceServer('none', client.None())
assert.deepEqual([await passes(given.outgoing), await passes(given.current)], [200, 200])
for (const token of [given.outgoing, given.outgoing, 'hello']) {
  await client.tokenRevocation(anyone, token, { token_type_hint: 'refresh_token' })
}
assert.deepEqual([await passes(given.outgoing), await passes(given.current)], [401, 200])
await client.tokenRevocation(resourceServer('no secret of this service'), given.current)
assert.equal(await passes(given.current), 401)
assert.deepEqual({ ...(await client.tokenIntrospection(gateway, given.current)) }, inactive)

// A client finds the metadata of the service.
const resource = new URL(url)
const metadata = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource))
assert.deepEqual([metadata.resource, metadata.bearer_methods_supported, metadata.authorization_servers], [url, ['header'], undefined])
console.log('ok')
