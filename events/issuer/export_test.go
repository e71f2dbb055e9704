package issuer

// SettingsRules are for tests that run commands which no call of the issuer has.
var SettingsRules = settingsRules
