# shellcheck shell=bash disable=SC2034 # the scripts that read this use the variables
# Functions of deploy.sh and undeploy.sh that read the deployed stack.

sam=${SAM:-sam}
export SAM_CLI_TELEMETRY=${SAM_CLI_TELEMETRY:-0}

die() { printf '%s\n' "$*" >&2; exit 1; }

need_aws() {
  command -v aws >/dev/null || die "the AWS CLI is missing: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
  aws sts get-caller-identity --output text >/dev/null ||
    die "there are no valid AWS credentials: run 'aws configure' or 'aws sso login' first"
}

# saved prints a setting that sam stored in samconfig.toml.
saved() { sed -n "s/^$1 *= *\"\(.*\)\"\$/\1/p" samconfig.toml | head -n 1; }

# read_stack finds the stack that samconfig.toml names.
read_stack() {
  [ -f samconfig.toml ] || die "samconfig.toml is missing: nothing was deployed from this folder"
  stack=$(saved stack_name)
  region=$(saved region)
  region=${region:-$(aws configure get region || true)}
  [ -n "$stack" ] && [ -n "$region" ] || die "the name or the region of the stack is unknown: set stack_name and region in samconfig.toml"
}

# about_stack prints one value of CloudFormation's description of the stack.
about_stack() { aws cloudformation describe-stacks --region "$region" --stack-name "$stack" --query "Stacks[0].$1" --output text; }

output() { about_stack "Outputs[?OutputKey=='$1'].OutputValue | [0]"; }
parameter() { about_stack "Parameters[?ParameterKey=='$1'].ParameterValue | [0]"; }

# physical prints the name on AWS of a resource of the template.
physical() {
  aws cloudformation describe-stack-resource --region "$region" --stack-name "$stack" --logical-resource-id "$1" \
    --query StackResourceDetail.PhysicalResourceId --output text
}
