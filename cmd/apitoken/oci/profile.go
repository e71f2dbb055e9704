package oci

import (
	"cmp"
	"errors"
	"io/fs"

	"gopkg.in/ini.v1"

	"apitoken/cmd/apitoken/datadir"
)

// The names of OCI's command line.
const (
	defaultConfig  = "~/.oci/config"
	defaultProfile = "DEFAULT"
)

// useProfile makes the calls use the profile, if --profile or --config-file is given.
// The token of a profile is sent only to the endpoint of the same profile, so no other
// flag may name an endpoint or a token.
func (c *command) useProfile() error {
	if !c.given("profile") && !c.given("config-file") {
		return nil
	}
	for _, flag := range []string{"endpoint", "token-file", "cert-bundle", "context"} {
		if c.given(flag) {
			return usageErrorf("--%s cannot be given with --profile or --config-file: the endpoint, the token and the certificates come from one source", flag)
		}
	}
	for _, flag := range []string{"profile", "config-file"} {
		if c.given(flag) && c.value(flag) == "" {
			return usageErrorf("--%s is empty; give a value, or leave the option out", flag)
		}
	}
	p, err := readProfile(expand(cmp.Or(c.configFile, defaultConfig)), cmp.Or(c.profile, defaultProfile))
	if err != nil {
		return err
	}
	c.Explicit("the profile", p.endpoint, p.tokenFile, p.certBundle)
	return nil
}

type profile struct{ endpoint, tokenFile, certBundle string }

// readProfile reads one section. It does not take keys from the section DEFAULT, as
// OCI does: the token of one section would be sent to the endpoint of another.
func readProfile(path, name string) (profile, error) {
	file, err := readINI(path)
	if err != nil {
		return profile{}, err
	}
	section, err := file.GetSection(name)
	if err != nil || (name == ini.DefaultSection && len(section.Keys()) == 0) {
		return profile{}, failf("ERROR: Profile '%s' not found in config file %s", name, path)
	}
	p := profile{
		endpoint:   section.Key("endpoint").Value(),
		tokenFile:  expand(section.Key("token_file").Value()),
		certBundle: expand(section.Key("cert_bundle").Value()),
	}
	if p.endpoint == "" || p.tokenFile == "" {
		return p, failf("ERROR: Profile '%s' in config file %s must have the keys endpoint (https://HOST) and token_file (a file with mode 0600 that contains your token). apitoken does not sign requests, so the keys user, fingerprint, tenancy and key_file of OCI are not enough", name, path)
	}
	return p, nil
}

// readINI reads the sections of a config file. The error does not quote the file,
// which may contain secrets.
func readINI(path string) (*ini.File, error) {
	text, err := datadir.ReadPublicOrPipe(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failf("ERROR: Could not find config file at %s", path)
	case err != nil:
		return nil, failf("ERROR: The config file cannot be read: %s", err)
	}
	file, err := ini.LoadSources(ini.LoadOptions{
		InsensitiveKeys:        true,
		IgnoreInlineComment:    true,
		IgnoreContinuation:     true,
		AllowNonUniqueSections: false,
		ChildSectionDelimiter:  "\x00", // a section "a.b" gets no keys of "a"
	}, []byte(text))
	if err != nil {
		return nil, failf("ERROR: The config file at %s is invalid: a line is neither [PROFILE] nor KEY = VALUE", path)
	}
	return file, nil
}
