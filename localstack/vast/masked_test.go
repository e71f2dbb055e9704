package vast

import "testing"

func TestMaskedKeepsAllButSecretsIDsTimesAndWidths(t *testing.T) {
	const secret = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	for name, c := range map[string]struct{ text, want string }{
		"one token as a table": {
			"property |value     \n---------+----------+\nid       |JhxND7ci  \ntoken    |" + secret + " \nlast_used|None      \n",
			"property |value\n-+-+\nid |ID000001\ntoken |ID000001.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nlast_used |(last use)\n",
		},
		"a list": {
			"id       |name |created                     |last_used |revoked |revocation_time \nJhxND7ci |ann  |2026-11-27T00:38:22.715027Z |None      |False   |None            \n",
			"id |name |created |last_used |revoked |revocation_time\nID000001 |ann |2026-01-01T00:00:00.000000Z |(last use) |False |None\n",
		},
		"a list with a use": {
			"JhxND7ci |ann  |2026-11-27T00:38:22.715027Z |2026-11-27T00:38:22.715027Z |True    |2026-11-27T00:38:22.715027Z \n",
			"ID000001 |ann |2026-01-01T00:00:00.000000Z |(last use) |True |2026-01-01T00:00:00.000000Z\n",
		},
		"JSON": {
			"  \"id\": \"JhxND7ci\",\n  \"expiry_date\": null,\n  \"last_used\": \"2026-11-27T00:38:22.715027Z\",\n",
			"  \"id\": \"ID000001\",\n  \"expiry_date\": null,\n  \"last_used\": (last use),\n",
		},
		"an error": {"Error: failed with error 404 and message \"API key not found\"\nexit 2\n", "Error: failed with error 404 and message \"API key not found\"\nexit 2\n"},
	} {
		if got := (&place{}).masked(c.text); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestOnlyTheLastLineOfATracebackStays(t *testing.T) {
	const trace = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\nOSError: first\n\nDuring handling of the above exception, another exception occurred:\n\n" +
		"Traceback (most recent call last):\n  File \"y.py\", line 2, in <module>\n    main()\nValueError: second\n"
	for text, want := range map[string]string{trace: "ValueError: second\n", "Error: plain\n": "Error: plain\n", "": ""} {
		if got := withoutTrace(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
