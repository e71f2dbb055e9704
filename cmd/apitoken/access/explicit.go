package access

// Explicit makes the calls use this address, the token in this file, and the
// certificates in this file, "" for only those of the system's. All three come from
// one source that the caller has read, like a profile. No flag, variable, context or
// default replaces any of them. from names the source in errors.
func (a *Flags) Explicit(from, url, tokenFile, caFile string) {
	a.explicit = &Source{
		URL: Part{url, from}, Token: Part{tokenFile, from}, CA: partOf(caFile, from),
		insecureHTTP: a.insecureHTTP, shared: a.tokenFileShared,
	}
}
