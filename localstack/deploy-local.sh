#!/usr/bin/env bash
# Deploys template.yaml to LocalStack, creates the administrator and runs smoke.sh. APITOKEN_LOCALSTACK is LocalStack's
# URL. localstack.sh runs this script after it has started LocalStack in Docker.
set -euo pipefail
cd "$(dirname "$0")/.."
sam=${SAM:-sam}
apitoken=${APITOKEN:-bin/apitoken}
stack=${STACK:-apitoken}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $(uname -m) in
  aarch64 | arm64) arch=arm64 ;;
  *) arch=x86_64 ;;
esac

# No real credential of the caller may be used.
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_ENDPOINT_URL=$APITOKEN_LOCALSTACK AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1 SAM_CLI_TELEMETRY=0
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test

ARCH=$arch "$sam" build --build-in-source --build-dir "$work/build" --parameter-overrides Arch="$arch"
"$sam" deploy -t "$work/build/template.yaml" --stack-name "$stack" --resolve-s3 --capabilities CAPABILITY_IAM \
  --no-confirm-changeset --no-progressbar --no-fail-on-empty-changeset \
  --parameter-overrides Arch="$arch" DeletionProtection=false AuthorizeInHandler=true
outputs=$("$sam" list stack-outputs --stack-name "$stack" --output json)

# output prints the value of one output of the stack. sam prints the value before or after the key.
output() {
  printf '%s' "$outputs" | tr -d '\n' | grep -o '{[^{}]*}' | grep "\"OutputKey\": *\"$1\"" |
    sed 's/.*"OutputValue": *"\([^"]*\)".*/\1/'
}

# pepper turns KID=ARN into KID:VALUE. It calls LocalStack with curl, so that no AWS CLI is needed.
pepper() {
  curl -sSf "$AWS_ENDPOINT_URL" -H 'X-Amz-Target: secretsmanager.GetSecretValue' \
    -H 'Content-Type: application/x-amz-json-1.1' -d "{\"SecretId\":\"${1#*=}\"}" \
    -H 'Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=00' |
    sed "s/.*\"SecretString\": *\"\([0-9A-Za-z]*\)\".*/${1%%=*}:\1/"
}

PEPPERS=$(pepper "$(output PepperSecrets)") \
  "$apitoken" bootstrap --table "$(output TokenTableName)" --out "$work/admin.token"
api=$(output ApiUrl)
host=${api#https://}
host=${host%%/*}
localstack/smoke.sh "$AWS_ENDPOINT_URL/restapis/${host%%.*}/${api##*/}/_user_request_" "$work/admin.token"
