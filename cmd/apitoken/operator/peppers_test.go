package operator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/operator"
)

// aws answers like CloudFormation and Secrets Manager, in their documented forms.
type aws struct {
	output  string            // of the stack "tokens"; "": it has no such output
	secrets map[string]string // by ARN
	denied  bool
}

func (a aws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") == "secretsmanager.GetSecretValue" {
		var in struct{ SecretId string }
		json.NewDecoder(r.Body).Decode(&in)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		value, ok := a.secrets[in.SecretId]
		switch {
		case a.denied:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","Message":"User: ann is not authorized to perform: secretsmanager:GetSecretValue"}`)
		case !ok:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`)
		default:
			json.NewEncoder(w).Encode(map[string]string{"ARN": in.SecretId, "SecretString": value})
		}
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	if r.FormValue("Action") != "DescribeStacks" || r.FormValue("StackName") != "tokens" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id %s does not exist</Message></Error></ErrorResponse>`, r.FormValue("StackName"))
		return
	}
	output := ""
	if a.output != "" {
		output = "<member><OutputKey>PepperSecrets</OutputKey><OutputValue>" + a.output + "</OutputValue></member>"
	}
	fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>tokens</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member><OutputKey>ApiUrl</OutputKey><OutputValue>u</OutputValue></member>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, output)
}

// runPeppers runs the command peppers against a, and returns its exit code.
func runPeppers(t *testing.T, a aws, args ...string) (code int, out, messages string) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_CLOUDFORMATION": server.URL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": server.URL,
		"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	var o, m strings.Builder
	e := &console.Env{Out: &o, Err: &m, Getenv: os.Getenv}
	root := &cobra.Command{Use: "apitoken"}
	root.AddCommand(operator.NewPeppers(e))
	code = console.Run(t.Context(), e, root, append([]string{"peppers"}, args...))
	return code, o.String(), m.String()
}

const (
	one = "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUI=" // 35 bytes
	two = "REVGREVGREVGREVGREVGREVGREVGREVGREVGREVGREVGREU="
)

func TestPeppersOfAStackAreInTheOrderOfItsOutput(t *testing.T) {
	a := aws{output: "2=arn:two,1=arn:one", secrets: map[string]string{"arn:one": one, "arn:two": two}}
	if code, out, messages := runPeppers(t, a, "--stack", "tokens"); code != 0 || out != "2:"+two+",1:"+one+"\n" {
		t.Errorf("got exit code %d, output %q, message %q", code, out, messages)
	}
	file := filepath.Join(t.TempDir(), "peppers")
	code, out, messages := runPeppers(t, a, "--stack", "tokens", "--out", file)
	if code != 0 || out != "the peppers of stack tokens are in "+file+"\n" || messages != "" {
		t.Errorf("got exit code %d, output %q, message %q", code, out, messages)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 600", info, err)
	}
	if b, _ := os.ReadFile(file); string(b) != "2:"+two+",1:"+one+"\n" {
		t.Errorf("the file has %q", b)
	}
}

// TestPeppersFailWithoutTheSecret: no error shows a secret, and no file is left.
func TestPeppersFailWithoutTheSecret(t *testing.T) {
	with := func(value string) aws {
		return aws{output: "1=arn:one", secrets: map[string]string{"arn:one": value}}
	}
	for name, c := range map[string]struct {
		aws   aws
		stack string
		want  string
	}{
		"no such stack":    {with(one), "others", `apitoken: stack others in the region "eu-north-1": CloudFormation says: Stack with id others does not exist; `},
		"no such output":   {aws{}, "tokens", "apitoken: stack tokens has no output PepperSecrets: "},
		"another output":   {aws{output: "arn:one"}, "tokens", `apitoken: the output PepperSecrets of stack tokens has the form "arn:one"; want KID=ARN`},
		"no such secret":   {aws{output: "1=arn:one"}, "tokens", "apitoken: reading the secret arn:one of pepper 1: "},
		"denied":           {aws{output: "1=arn:one", denied: true}, "tokens", "User: ann is not authorized to perform: secretsmanager:GetSecretValue"},
		"another secret":   {with("hunter2-hunter2"), "tokens", "apitoken: reading the secret arn:one of pepper 1: the secret is not a pepper; "},
		"too short":        {with("aHVudGVyMg=="), "tokens", "the secret is not a pepper; "},
		"more than one":    {with(one + ",hunter2:" + one), "tokens", "the secret is not a pepper; "},
		"an empty secret":  {with(""), "tokens", "the secret is not a pepper; "},
		"a second line":    {with(one + "\nhunter2"), "tokens", "the secret is not a pepper; "},
		"a wrong kid":      {aws{output: "a b=arn:one", secrets: map[string]string{"arn:one": one}}, "tokens", "the secret is not a pepper; "},
		"no name of stack": {with(one), "", "apitoken: --stack is not given: "},
	} {
		file := filepath.Join(t.TempDir(), "peppers")
		code, out, messages := runPeppers(t, c.aws, "--stack", c.stack, "--out", file)
		if code == 0 || out != "" || !strings.Contains(messages, c.want) || strings.Count(messages, "\n") != 1 {
			t.Errorf("%s: got exit code %d, output %q, message %q, want %q", name, code, out, messages, c.want)
		}
		for _, hidden := range []string{"hunter2", "aHVudGVyMg", one} {
			if strings.Contains(messages, hidden) {
				t.Errorf("%s: the message shows the secret: %s", name, messages)
			}
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: the file was written", name)
		}
	}
}
