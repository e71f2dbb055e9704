package access

// Explicit makes the calls use this address, the token in this file, and the
// certificates in this file, "" for only those of the system's. All three come from
// one source that the caller has read, like a profile. They count like flags, so no
// variable and no default replaces the address or the token.
func (a *Flags) Explicit(url, tokenFile, caFile string) {
	a.url, a.tokenFile, a.caFile = url, tokenFile, caFile
}
