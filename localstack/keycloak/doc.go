// Package keycloak signs people and programs in with a real identity provider, the
// realm apitoken of the engine keycloak: a browser's way through the forms, the device
// flow, and the tokens of a program. Its tests drive `apitoken serve` with it.
//
// A Front is an address before Keycloak with an issuer of its own. A test may stop it
// and may replace its answers, so that the service meets a provider that is down, and
// tokens that Keycloak itself would never send.
//
// Only tests use this package.
package keycloak
