#!/usr/bin/env bash
# Calls a deployed service. With the administrator's token it asks who the caller is, and creates, lists and revokes a
# token. Without a token, and with a bad one, the service must refuse.
#
#   smoke.sh URL TOKEN_FILE [HOST]
#
# HOST is the Host header, for emulators that select an API by the Host header.
set -euo pipefail
url=$1 file=$2 host=${3:-}

# request METHOD PATH [BODY] prints the answer and, on a last line, the status. Standard input has the Authorization
# header, because other users can read a command line.
request() {
  curl -sS -m 60 -X "$1" -H @- ${host:+-H "Host: $host"} -w '\n%{http_code}\n' \
    ${3:+-H 'Content-Type: application/json' -d "$3"} "$url$2"
}

good_token() { printf 'Authorization: Bearer %s\n' "$(cat "$file")"; }
bad_token() { echo 'Authorization: Bearer 00000000.000000000000000000000000002uutdl'; }
no_token() { echo 'X-No: token'; }

# expect STATUS CALL checks the status of the answer on standard input and prints the answer's body.
expect() {
  local answer status
  answer=$(cat)
  status=${answer##*$'\n'}
  [ "$status" = "$1" ] || { printf '%s: got %s, want %s\n%s\n' "$2" "$status" "$1" "$answer" >&2; exit 1; }
  printf '%s: %s\n' "$2" "$status" >&2
  printf '%s\n' "${answer%$'\n'*}"
}

no_token | request GET /v1/version | expect 200 'version, without a token' >/dev/null
no_token | request GET /v1/session/who-am-i | expect 401 'who am I, without a token' >/dev/null
bad_token | request GET /v1/session/who-am-i | expect 401 'who am I, with a bad token' >/dev/null
good_token | request GET /v1/session/who-am-i | expect 200 'who am I, with a token' >/dev/null
created=$(good_token | request POST /v1/auth/access-tokens/ '{"name":"smoke","expires_in":"1h"}' | expect 200 'create')
id=$(printf '%s' "$created" | sed -n 's/.*"id":"\([0-9A-Za-z]\{8\}\)".*/\1/p')
[ -n "$id" ] || { echo 'create: the answer has no id' >&2; exit 1; }
listed=$(good_token | request GET /v1/auth/access-tokens | expect 200 'list')
[[ $listed = *"$id"* ]] || { echo 'list: the new token is missing' >&2; exit 1; }
good_token | request DELETE "/v1/auth/access-tokens/$id" | expect 200 'revoke' >/dev/null
good_token | request GET "/v1/auth/access-tokens/$id" | expect 404 'get a revoked token' >/dev/null
