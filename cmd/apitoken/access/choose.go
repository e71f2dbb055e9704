package access

import (
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/setting"
)

// choose reads the flags, the variables and, if they are not complete, the contexts,
// and returns the source of a call. A call without a token needs no token of the
// source, so what gives a token does not count.
func (a *Flags) choose(e *console.Env, withToken bool) (Source, error) {
	if a.explicit != nil {
		return *a.explicit, nil
	}
	byHand, err := a.byHand(e, withToken)
	if err != nil {
		return Source{}, err
	}
	g := given{url: byHand.URL.From, token: byHand.Token.From, ca: byHand.CA.From}
	if !withToken {
		g.token = g.url
	}
	c, stored, err := a.choice(e, g)
	if err != nil {
		return Source{}, err
	}
	if fromContext, err := useContext(g, c); err != nil {
		return Source{}, err
	} else if !fromContext {
		return byHand.withDefault(), nil
	}
	return a.ofContext(c, stored.Contexts[c.name], byHand, g.names(anyName)), nil
}

// byHand is the source that flags and variables give, without defaults.
func (a *Flags) byHand(e *console.Env, withToken bool) (s Source, err error) {
	if err := a.checkEmpty(); err != nil {
		return s, err
	}
	s.insecureHTTP = a.insecureHTTP
	if s.shared, err = e.EnvBool("APITOKEN_TOKEN_FILE_SHARED"); err != nil {
		return s, err
	}
	s.shared = s.shared || a.tokenFileShared
	if s.URL, err = a.givenURL(e); err != nil {
		return s, err
	}
	if s.CA, err = a.givenCA(e); err != nil || !withToken {
		return s, err
	}
	s.Token, s.inline, err = a.givenToken(e)
	return s, err
}

// checkEmpty refuses empty flags: the variable in --url "$STAGING" may be unset, and
// the command would call another service.
func (a *Flags) checkEmpty() error {
	for _, name := range []string{"url", "token-file", "ca-file", "context"} {
		if a.set != nil && a.set.Changed(name) && a.set.Lookup(name).Value.String() == "" {
			return console.Usagef("--%s is empty; give a value, or leave the flag out", name)
		}
	}
	return nil
}

func (a *Flags) givenURL(e *console.Env) (Part, error) {
	if a.url != "" {
		text, err := console.ReadSetting("--url", a.url, setting.Value)
		return Part{text, "--url"}, err
	}
	text, err := e.EnvValue("APITOKEN_URL")
	return partOf(text, "APITOKEN_URL"), err
}

func (a *Flags) givenCA(e *console.Env) (Part, error) {
	if a.caFile != "" {
		return Part{a.caFile, "--ca-file"}, nil
	}
	path, err := e.EnvPath("APITOKEN_CA_FILE")
	return partOf(path, "APITOKEN_CA_FILE"), err
}

// givenToken is the token that is given: --token-file, then one of the two variables.
func (a *Flags) givenToken(e *console.Env) (p Part, inline string, err error) {
	if a.tokenFile != "" {
		return Part{a.tokenFile, "--token-file"}, "", nil
	}
	path, err := e.EnvPath("APITOKEN_TOKEN_FILE")
	if err != nil {
		return p, "", err
	}
	inline, err = e.EnvValue("APITOKEN_TOKEN")
	switch {
	case err != nil:
		return p, "", err
	case path != "" && inline != "":
		return p, "", console.Usagef("APITOKEN_TOKEN and APITOKEN_TOKEN_FILE are both set: unset one")
	case inline != "":
		return Part{"", "APITOKEN_TOKEN"}, inline, nil
	}
	return partOf(path, "APITOKEN_TOKEN_FILE"), "", nil
}

func partOf(value, from string) Part {
	if value == "" {
		return Part{}
	}
	return Part{value, from}
}

// choice is the context that the user chose, with all contexts. It does not read the
// contexts if flags and variables are complete and not outweighed: a damaged file does
// not matter then.
func (a *Flags) choice(e *console.Env, g given) (c choice, stored Contexts, err error) {
	c = choice{name: a.context, by: contextFlag}
	if c.name == "" {
		if g.url != "" && g.token != "" {
			return choice{}, stored, nil
		}
		name, err := e.EnvValue("APITOKEN_CONTEXT")
		if err != nil {
			return c, stored, err
		}
		c = choice{name: name, by: "APITOKEN_CONTEXT"}
	}
	if c.name != "" && !validName(c.name) {
		return c, stored, console.Usagef("%s is not the name of a context; allowed: %s", c.by, nameForm)
	}
	if stored, err = ReadContexts(e); err != nil {
		return c, stored, err
	}
	if c.name == "" {
		return choice{name: stored.Current}, stored, nil
	}
	if _, known := stored.Contexts[c.name]; !known {
		return c, stored, console.Usagef("%s names the context %s, which does not exist; `apitoken context list` shows those that do", c.by, c.name)
	}
	return c, stored, nil
}

// ofContext is the source of a context. Only the permissions for plain http and for a
// shared file may also come from flags and variables: they send nothing elsewhere.
func (a *Flags) ofContext(c choice, from Context, byHand Source, ignored []string) Source {
	name := "the context " + c.name
	return Source{
		Context: c.name, ChosenBy: c.by, Ignored: ignored,
		URL: Part{from.URL, name}, Token: Part{from.TokenFile, name}, CA: partOf(from.CAFile, name),
		insecureHTTP: byHand.insecureHTTP || from.InsecureHTTP, shared: byHand.shared || from.TokenFileShared,
	}
}

// withDefault adds the default of the address.
func (s Source) withDefault() Source {
	if s.URL.Value == "" {
		s.URL.Value = defaultURL
	}
	return s
}
