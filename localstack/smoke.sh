#!/usr/bin/env bash
# Tries a deployed service from outside: with the token in the file named second it answers who we are and makes, lists
# and revokes a token; without one, and with a bad one, it refuses.
#
#   smoke.sh URL TOKEN_FILE [HOST]
#
# HOST is what to say in the Host header, where an emulator tells its APIs apart by that.
set -euo pipefail
url=$1 file=$2 host=${3:-}

# ask METHOD PATH [BODY] prints the answer and then, on a line of its own, the status. The credential comes by standard
# input, since a command line is everybody's to read.
ask() {
  curl -sS -m 60 -X "$1" -H @- ${host:+-H "Host: $host"} -w '\n%{http_code}\n' \
    ${3:+-H 'Content-Type: application/json' -d "$3"} "$url$2"
}

bearer() { printf 'Authorization: Bearer %s\n' "$(cat "$file")"; }
bad() { echo 'Authorization: Bearer 00000000.000000000000000000000000002uutdl'; }

# expect STATUS WHAT checks the answer on standard input and prints its body.
expect() {
  local answer status
  answer=$(cat)
  status=${answer##*$'\n'}
  [ "$status" = "$1" ] || { printf '%s: got %s, want %s\n%s\n' "$2" "$status" "$1" "$answer" >&2; exit 1; }
  printf '%s: %s\n' "$2" "$status" >&2
  printf '%s\n' "${answer%$'\n'*}"
}

echo 'X-No: token' | ask GET /v1/version | expect 200 'version, open to everybody' >/dev/null
echo 'X-No: token' | ask GET /v1/session/who-am-i | expect 401 'who am I, without a token' >/dev/null
bad | ask GET /v1/session/who-am-i | expect 401 'who am I, with a bad token' >/dev/null
bearer | ask GET /v1/session/who-am-i | expect 200 'who am I, with a token' >/dev/null
made=$(bearer | ask POST /v1/auth/access-tokens/ '{"name":"smoke","expires_in":"1h"}' | expect 200 'create')
id=$(printf '%s' "$made" | sed -n 's/.*"id":"\([0-9A-Za-z]\{8\}\)".*/\1/p')
[ -n "$id" ] || { echo 'create: the answer has no id' >&2; exit 1; }
listed=$(bearer | ask GET /v1/auth/access-tokens | expect 200 'list')
[[ $listed = *"$id"* ]] || { echo 'list: it lacks the token' >&2; exit 1; }
bearer | ask DELETE "/v1/auth/access-tokens/$id" | expect 200 'revoke' >/dev/null
bearer | ask GET "/v1/auth/access-tokens/$id" | expect 404 'get what was revoked' >/dev/null
