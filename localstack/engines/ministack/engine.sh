# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# MiniStack 1.5.33: the whole deployed stack on a laptop. It takes `sam deploy`, runs the functions' zips as processes
# of this machine, enforces the authorizer, and with AUTH=true also what the IAM role of each function allows.
#
# Known gaps: the stream source ignores reported batch item failures and retry limits, TTL deletions write no stream
# record, an HTTP API made by AWS::Serverless::HttpApi deploys without routes, and each warm call costs about 50 ms. Use
# LocalStack for stream retries and DynamoDB Local for the database's own behaviour.
#
# Clients need the endpoint printed by `start`, any region, and the credentials test/test.

default_port=4566
inputs=("$here"/engines/ministack/*)

prerequisites() { find_python 3.11 3.12 3.13 >/dev/null; }

install() { python_env "$(find_python 3.11 3.12 3.13)" "$here/engines/ministack/requirements.txt"; }

# Functions inherit AWS_ENDPOINT_URL, which is how they find the emulator. It has to be the address, not the name
# localhost, so that S3 is addressed by path.
launch() {
  environment=(
    GATEWAY_PORT="$port" BIND_HOST=127.0.0.1 AUTH=true LAMBDA_EXECUTOR=local IOT_MTLS_ENABLED=0
    AWS_ENDPOINT_URL="$endpoint" MINISTACK_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test S3_DATA_DIR="$run/s3"
  )
  command=("$home/venv/bin/python" -m ministack)
}

answers() { [ "$(http_status /_ministack/health)" = 200 ]; }
