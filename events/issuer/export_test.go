package issuer

// The rules, for tests that give commands which the issuer has no call for, or
// that fold a log anew.
var (
	TokenRules    = tokenRules
	SettingsRules = settingsRules
)
