#!/usr/bin/env bash
# Deletes the deployed stack. The log, its audit copy and the peppers stay, because they cannot be restored. The script
# prints their names, their costs and how to delete them too. It also deletes what is left of a first deployment that
# failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh

main() {
  need_aws
  read_stack
  local status tables peppers audit policy=''
  status=$(stack_status)
  [ -n "$status" ] || die "There is no stack $stack in $region: nothing is deleted."
  not_busy "$status"
  find_sam
  tables=$(resources AWS::DynamoDB::Table)
  peppers=$(resources AWS::SecretsManager::Secret | cut -f 2)
  audit=$(sed -n 's/^AuditTable\t//p' <<<"$tables")
  tables=$(cut -f 2 <<<"$tables")
  [ -z "$audit" ] || policy=$(table_arn "$audit")
  stays
  "$sam" delete --stack-name "$stack" --region "$region"
  status=$(stack_status)
  [ -z "$status" ] || die "Stack $stack is still there, its status is $status. Nothing else was changed. If its deletion failed, run 'make undeploy' again."
  [ -z "$policy" ] || remove_policy "$policy"
  how_to_delete
}

# stays prints what is left after the deletion.
stays() {
  if [ -z "$tables$peppers" ]; then
    say "The stack has no table and no pepper. Nothing stays after its deletion."
    return
  fi
  echo "These resources stay after the stack is deleted. They cost, in us-east-1:"
  echo
  if [ -n "$tables" ]; then
    printf '  table %s\n' $tables
    echo "      0.25 USD for each GB and month, and 0.20 USD for its point-in-time recovery"
  fi
  if [ -n "$peppers" ]; then
    printf '  secret %s\n' $peppers
    echo "      0.40 USD a month for each"
    echo
    echo "Without the peppers the tokens in these tables can never be checked again."
  else
    echo
    echo "There is no pepper, so these tables have no tokens: the first deployment failed. Delete them too."
  fi
  echo
}

# remove_policy removes the resource policy of the audit table. Until now it protects the copies. It names a role that is
# deleted now, so no other stack that takes over the table could write to it.
remove_policy() {
  aws dynamodb delete-resource-policy --region "$region" --resource-arn "$1" ||
    say "The policy of table $1 is still there: aws dynamodb delete-resource-policy --region $region --resource-arn $1"
}

how_to_delete() {
  [ -n "$tables$peppers" ] || return 0
  echo
  echo "To delete these resources permanently:"
  echo
  local name
  for name in $tables; do
    echo "  aws dynamodb update-table --region $region --table-name $name --no-deletion-protection-enabled"
    echo "  aws dynamodb wait table-exists --region $region --table-name $name"
    echo "  aws dynamodb delete-table --region $region --table-name $name"
  done
  for name in $peppers; do echo "  aws secretsmanager delete-secret --region $region --secret-id $name"; done
}

main "$@"
