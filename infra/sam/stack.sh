# shellcheck shell=bash disable=SC2034 # the scripts that read this use the variables
# Functions of deploy.sh, undeploy.sh, outputs.sh and restore.sh.
#
# CONFIG_ENV selects the settings: the sections [CONFIG_ENV.*] of samconfig.toml. The default is "default". A second stage
# or region is a second CONFIG_ENV with a stack of its own.

# Without inherit_errexit a failed command in $(...) does not stop the script.
shopt -s inherit_errexit 2>/dev/null || { echo "the scripts need bash 4.4 or later" >&2; exit 1; }

export SAM_CLI_TELEMETRY=${SAM_CLI_TELEMETRY:-0}
config_env=${CONFIG_ENV:-default}

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

[[ $config_env =~ ^[a-z0-9_-]+$ ]] || die "CONFIG_ENV is '$config_env'; allowed: letters a-z, digits, - and _"

# need_aws runs before anything is fetched or built.
need_aws() {
  command -v aws >/dev/null || die "the AWS CLI is missing: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
  account=$(aws sts get-caller-identity --query Account --output text) ||
    die "there are no valid AWS credentials: run 'aws configure' or 'aws sso login' first"
}

# find_sam sets sam. The SAM CLI is fetched only if there is none.
find_sam() {
  sam=${SAM:-$(command -v sam || true)}
  [ -z "$sam" ] || return 0
  say "The SAM CLI is not installed. It is fetched into .engines now: 60 MB to download, 340 MB on the disk, about a minute."
  sam=$(localstack/engines.sh tool sam)
}

# settings prints the lines of samconfig.toml for CONFIG_ENV.
settings() {
  [ ! -f samconfig.toml ] ||
    awk -v env="$config_env" '/^\[/ { inside = $0 == "[" env ".deploy.parameters]" || $0 == "[" env ".global.parameters]" } inside' samconfig.toml
}

# saved prints a setting of samconfig.toml.
saved() { settings | sed -n "s/^$1 *= *\"\(.*\)\"\$/\1/p" | head -n 1; }

# saved_arch prints the processor of the stack, or nothing before the first deployment.
saved_arch() { saved parameter_overrides | sed -n 's/.*Arch=[\\"]*\([a-z0-9_]*\).*/\1/p'; }

# read_stack finds the stack that samconfig.toml names.
read_stack() {
  [ -n "$(settings)" ] || die "samconfig.toml has no section [$config_env.deploy.parameters]: nothing was deployed from this folder with CONFIG_ENV=$config_env"
  stack=$(saved stack_name)
  region=$(saved region)
  region=${region:-$(default_region)}
  [ -n "$stack" ] && [ -n "$region" ] ||
    die "the name or the region of the stack is unknown: set stack_name and region in samconfig.toml, section [$config_env.deploy.parameters]"
}

default_region() { printf '%s\n' "${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}"; }

# stack_status prints CloudFormation's status of the stack, or nothing if there is no such stack.
stack_status() {
  local answer
  if answer=$(aws cloudformation describe-stacks --region "$region" --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text 2>&1); then
    printf '%s\n' "$answer"
  elif [[ $answer != *"does not exist"* ]]; then
    die "asking for the status of stack $stack: $answer"
  fi
}

# not_busy stops if another operation on the stack runs.
not_busy() {
  [[ $1 != *_IN_PROGRESS || $1 = REVIEW_IN_PROGRESS ]] ||
    die "Stack $stack in $region is busy: its status is $1. Wait until the operation is over, then run the command again. The status now:" \
      "aws cloudformation describe-stacks --region $region --stack-name $stack --query 'Stacks[0].StackStatus'"
}

# about_stack prints one value of CloudFormation's description of the stack.
about_stack() { aws cloudformation describe-stacks --region "$region" --stack-name "$stack" --query "Stacks[0].$1" --output text; }

output() { about_stack "Outputs[?OutputKey=='$1'].OutputValue | [0]"; }
parameter() { about_stack "Parameters[?ParameterKey=='$1'].ParameterValue | [0]"; }

# resources prints LOGICAL NAME for each resource of a type that exists. NAME is its name on AWS.
resources() {
  aws cloudformation list-stack-resources --region "$region" --stack-name "$stack" --output text --query "StackResourceSummaries[?ResourceType=='$1' \
&& ResourceStatus!='DELETE_COMPLETE' && ResourceStatus!='CREATE_FAILED'].[LogicalResourceId,PhysicalResourceId]"
}

table_arn() { aws dynamodb describe-table --region "$region" --table-name "$1" --query Table.TableArn --output text; }
