# shellcheck shell=bash disable=SC2034,SC2154 # engines.sh sets and reads these variables
# MiniStack 1.5.33. It tests the whole deployed stack: it accepts `sam deploy`, runs the functions' zips as processes of
# this machine, and enforces the authorizer. With AUTH=true it also enforces the IAM role of each function. conditions.py
# adds condition keys of DynamoDB and the method ANY of APIs, which it lacks, denials.py adds the authorizer's context in the
# answers to denied calls, and imports.py mends the import of resources into a stack.
#
# Known gaps: streams ignore reported batch item failures and retry limits. TTL deletions write no stream record. An
# AWS::Serverless::HttpApi deploys without routes. Each warm call takes at least about 50 ms. Use LocalStack for stream
# retries, and DynamoDB Local for the behaviour of the database.
#
# Clients need the endpoint that `start` prints, any region, and the credentials test/test.

default_port=4566
inputs=("$here"/engines/ministack/*)

prerequisites() { find_python 3.11 3.12 3.13 >/dev/null; }

install() { python_env "$(find_python 3.11 3.12 3.13)"; }

# Functions inherit AWS_ENDPOINT_URL and so find the emulator. The URL has the address and not the name localhost, so
# that clients of S3 put the bucket into the path.
launch() {
  environment=(
    GATEWAY_PORT="$port" BIND_HOST=127.0.0.1 AUTH=true LAMBDA_EXECUTOR=local IOT_MTLS_ENABLED=0
    AWS_ENDPOINT_URL="$endpoint" MINISTACK_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test S3_DATA_DIR="$run/s3"
    PYTHONDONTWRITEBYTECODE=1 # no __pycache__ beside conditions.py: it would be in the work tree and in inputs
  )
  command=("$home/venv/bin/python" "$here/engines/ministack/conditions.py")
}

answers() { [ "$(http_status /_ministack/health)" = 200 ]; }
