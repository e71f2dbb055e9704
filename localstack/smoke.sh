#!/usr/bin/env bash
# Calls a deployed service. With the administrator's token it asks who the caller is, and creates, lists, rotates,
# disables, enables and revokes a token. With this token it asks who the caller is, and when the token expires. Without a
# token, with a bad one and with a disabled one, the service must refuse. An unknown path must be 404, also with a token.
#
#   smoke.sh URL [TOKEN_FILE [HOST]]
#
# Without TOKEN_FILE it makes only the calls that need no good token. HOST is the Host header, for emulators that select an API by the Host header.
set -euo pipefail
url=$1 file=${2:-} host=${3:-}

# request METHOD PATH [BODY] prints the answer, the header Apitoken-Expires and, on a last line, the status. Standard
# input has the Authorization header, because other users can read a command line.
request() {
  curl -sS -m 60 -X "$1" -H @- ${host:+-H "Host: $host"} -w '\nexpires %header{apitoken-expires}\n%{http_code}\n' \
    ${3:+-H 'Content-Type: application/json' -d "$3"} "$url$2"
}

good_token() { printf 'Authorization: Bearer %s\n' "$(cat "$file")"; }
bad_token() { echo 'Authorization: Bearer 00000000.000000000000000000000000002uutdl'; }
no_token() { echo 'X-No: token'; }
new_token() { printf 'Authorization: Bearer %s\n' "$secret"; }

# expect STATUS CALL checks the status of the answer on standard input and prints the rest of the answer.
expect() {
  local answer status
  answer=$(cat)
  status=${answer##*$'\n'}
  [ "$status" = "$1" ] || { printf '%s: got %s, want %s\n%s\n' "$2" "$status" "$1" "$answer" >&2; exit 1; }
  printf '%s: %s\n' "$2" "$status" >&2
  printf '%s\n' "${answer%$'\n'*}"
}

# member NAME PATTERN prints a text member of the JSON on standard input, and fails if there is none.
member() { sed -n "s/.*\"$1\":\"\($2\)\".*/\1/p" | grep . || { echo "the answer has no $1" >&2; exit 1; }; }

tokens=/v1/auth/access-tokens
who=/v1/session/who-am-i
no_token | request GET /v1/version | expect 200 'version, without a token' >/dev/null
no_token | request GET $who | expect 401 'who am I, without a token' >/dev/null
bad_token | request GET $who | expect 401 'who am I, with a bad token' >/dev/null
bad_token | request GET /v1/nothing | expect 404 'an unknown path, with a bad token' >/dev/null
[ -n "$file" ] || exit 0
good_token | request GET $who | expect 200 'who am I, with a token' >/dev/null
created=$(good_token | request POST $tokens/ '{"name":"smoke","expires_in":"1h"}' | expect 200 'create')
id=$(member id '[0-9A-Za-z]\{8\}' <<<"$created")
listed=$(good_token | request GET $tokens | expect 200 'list')
[[ $listed = *"$id"* ]] || { echo 'list: the new token is missing' >&2; exit 1; }
rotated=$(good_token | request POST "$tokens/$id/rotate" | expect 200 'rotate')
secret=$(member bearer_token '[0-9A-Za-z._-]*' <<<"$rotated")
answer=$(new_token | request GET $who | expect 200 'who am I, with the rotated token')
[[ $answer = *$'\nexpires 20'* ]] || { echo 'who am I: the answer does not say when the token expires' >&2; exit 1; }
good_token | request PATCH "$tokens/$id" '{"enabled":false}' | expect 200 'disable' >/dev/null
new_token | request GET $who | expect 401 'who am I, with the disabled token' >/dev/null
good_token | request PATCH "$tokens/$id" '{"enabled":true}' | expect 200 'enable' >/dev/null
new_token | request GET $who | expect 200 'who am I, with the enabled token' >/dev/null
good_token | request DELETE "$tokens/$id" | expect 200 'revoke' >/dev/null
good_token | request GET "$tokens/$id" | expect 404 'get a revoked token' >/dev/null
new_token | request GET $who | expect 401 'who am I, with the revoked token' >/dev/null
