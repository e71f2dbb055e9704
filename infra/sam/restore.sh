#!/usr/bin/env bash
# Makes a new stack of existing tables and peppers. It is the step between `make undeploy` and `make deploy` of a restore;
# the runbook in infra/sam/README.md has all steps.
#
#   infra/sam/restore.sh TokenTable=NAME AuditTable=NAME PepperOne=ARN
#
# Every resource of import.yaml is named once. The stack has the name and the region of samconfig.toml. The script
# switches on what DynamoDB does not restore, imports the resources with a change set of the type IMPORT, and removes the
# resource policy of the audit table. After an error it can be run again.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh

main() {
  local import status
  import=$(resources_to_import "$@")
  need_aws
  read_stack
  status=$(stack_status)
  case $status in
    '') ;;
    REVIEW_IN_PROGRESS) forget ;; # an interrupted run: a stack without resources
    IMPORT_COMPLETE) imported "$@" || die "Stack $stack in $region was imported from other resources: run 'make undeploy' first." ;;
    *) die "There is a stack $stack in $region, its status is $status. An import needs a new stack: run 'make undeploy' first, or set another" \
      "stack_name in samconfig.toml." ;;
  esac
  switch_on_stream "$(value TokenTable "$@")"
  switch_on "$(value TokenTable "$@")"
  switch_on "$(value AuditTable "$@")"
  [ "$status" = IMPORT_COMPLETE ] || import "$import"
  remove_policy "$(value AuditTable "$@")"
  say "Stack $stack has the tables and the peppers. Now run 'make deploy', which adds everything else."
}

# imported reports whether the stack has these tables.
imported() {
  local tables name
  tables=$(resources AWS::DynamoDB::Table)
  for name in TokenTable AuditTable; do
    grep -qx "$name"$'\t'"$(value "$name" "$@")" <<<"$tables" || return 1
  done
}

# resources_to_import prints the argument of the change set: a type, a logical name and an identifier for each resource.
resources_to_import() {
  local name type key text entries=() wanted
  wanted=$(sed -n 's/^  \([A-Za-z0-9]*\):$/\1/p' infra/sam/import.yaml)
  for name in $wanted; do
    text=$(value "$name" "$@")
    [ -n "$text" ] || die "$name is missing; wanted: NAME=VALUE once for each of" $wanted
    type=$(sed -n "/^  $name:\$/,/Type:/s/^    Type: //p" infra/sam/import.yaml)
    case $type in
      AWS::DynamoDB::Table) key=TableName
        [[ $text =~ ^[A-Za-z0-9_.-]{3,255}$ ]] || die "$name is '$text'; wanted: the name of a table" ;;
      AWS::SecretsManager::Secret) key=Id
        [[ $text =~ ^arn:[a-z0-9-]+:secretsmanager:[A-Za-z0-9:/_+=.@-]+$ ]] || die "$name is '$text'; wanted: the ARN of a secret" ;;
      *) die "import.yaml: $name has the type '$type'; allowed: AWS::DynamoDB::Table, AWS::SecretsManager::Secret" ;;
    esac
    entries+=("{\"ResourceType\":\"$type\",\"LogicalResourceId\":\"$name\",\"ResourceIdentifier\":{\"$key\":\"$text\"}}")
  done
  [ $# = ${#entries[@]} ] || die "got $# arguments; wanted: NAME=VALUE once for each of" $wanted
  local IFS=,
  printf '[%s]\n' "${entries[*]}"
}

# value prints the VALUE of the argument NAME=VALUE, or nothing.
value() {
  local name=$1 argument
  shift
  for argument; do
    [[ $argument != "$name="* ]] || printf '%s\n' "${argument#*=}"
  done
}

about_table() { aws dynamodb describe-table --region "$region" --table-name "$1" --query "Table.$2" --output text; }
wait_for_table() { aws dynamodb wait table-exists --region "$region" --table-name "$1"; }

# switch_on_stream gives the token table its change stream and its time to live. Without the stream no event is sent.
switch_on_stream() {
  wait_for_table "$1"
  if [ "$(about_table "$1" StreamSpecification.StreamViewType)" != NEW_IMAGE ]; then
    aws dynamodb update-table --region "$region" --table-name "$1" --stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE >/dev/null
  fi
  local ttl
  ttl=$(aws dynamodb describe-time-to-live --region "$region" --table-name "$1" --query TimeToLiveDescription.TimeToLiveStatus --output text)
  case $ttl in
    ENABLED | ENABLING) ;;
    *) aws dynamodb update-time-to-live --region "$region" --table-name "$1" --time-to-live-specification Enabled=true,AttributeName=ttl >/dev/null ;;
  esac
}

# switch_on gives a table point-in-time recovery and deletion protection. Each change waits for the one before it.
switch_on() {
  wait_for_table "$1"
  aws dynamodb update-continuous-backups --region "$region" --table-name "$1" --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true >/dev/null
  if [ "$(about_table "$1" DeletionProtectionEnabled)" != True ]; then
    aws dynamodb update-table --region "$region" --table-name "$1" --deletion-protection-enabled >/dev/null
    wait_for_table "$1"
  fi
}

import() {
  say "Importing into stack $stack in $region."
  aws cloudformation create-change-set --region "$region" --stack-name "$stack" --change-set-name restore --change-set-type IMPORT \
    --template-body file://infra/sam/import.yaml --resources-to-import "$1" >/dev/null
  if ! aws cloudformation wait change-set-create-complete --region "$region" --stack-name "$stack" --change-set-name restore; then
    local reason
    reason=$(aws cloudformation describe-change-set --region "$region" --stack-name "$stack" --change-set-name restore --query StatusReason --output text)
    forget
    die "CloudFormation refuses the import: $reason"
  fi
  aws cloudformation execute-change-set --region "$region" --stack-name "$stack" --change-set-name restore
  aws cloudformation wait stack-import-complete --region "$region" --stack-name "$stack" ||
    die "The import failed. The events of the stack have the reason: aws cloudformation describe-stack-events --region $region --stack-name $stack"
}

# forget deletes a stack that has no resources yet, so that it can be made again.
forget() {
  aws cloudformation delete-stack --region "$region" --stack-name "$stack"
  aws cloudformation wait stack-delete-complete --region "$region" --stack-name "$stack"
}

# remove_policy removes the policy that a deleted stack left on the audit table. It names the role of that stack, and so
# refuses the copies of every other one. A restored table has none.
remove_policy() {
  local arn answer
  arn=$(table_arn "$1")
  if answer=$(aws dynamodb get-resource-policy --region "$region" --resource-arn "$arn" 2>&1); then
    aws dynamodb delete-resource-policy --region "$region" --resource-arn "$arn" >/dev/null
  elif [[ $answer != *PolicyNotFoundException* ]]; then
    die "reading the policy of table $1: $answer"
  fi
}

main "$@"
