#!/usr/bin/env bash
# Deletes the deployed stack. The log, its audit copy, the peppers and the key stay, because they cannot be restored.
# The script prints their names, their costs and how to delete them too.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh

need_aws
read_stack
tokens=$(physical TokenTable)
audit=$(physical AuditTable)
peppers=$(output PepperSecrets | tr ',' '\n' | sed 's/^[^=]*=//')
key=$(physical ConfigKey)

cat <<END
These resources stay after the stack is deleted. They cost, in us-east-1:

  table $tokens
  table $audit
      0.25 USD for each GB and month, and 0.20 USD for its point-in-time recovery
$(printf '  secret %s\n' $peppers)
      0.40 USD a month for each
  key $key
      1 USD a month, and 1 USD a month more after each of its first two yearly rotations

Without the peppers the tokens in these tables can never be checked again.

END
table=$(aws dynamodb describe-table --region "$region" --table-name "$audit" --query Table.TableArn --output text)
"$sam" delete --stack-name "$stack" --region "$region"

# Until here the table's policy protects the copies. It names a role that is deleted now, so no other stack that takes
# over the table could write to it.
aws dynamodb delete-resource-policy --region "$region" --resource-arn "$table" ||
  echo "The policy of table $audit is still there: aws dynamodb delete-resource-policy --region $region --resource-arn $table" >&2
cat <<END

To delete these resources permanently:

  for table in $tokens $audit; do
    aws dynamodb update-table --region $region --table-name \$table --no-deletion-protection-enabled
    aws dynamodb delete-table --region $region --table-name \$table
  done
$(printf "  aws secretsmanager delete-secret --region $region --secret-id %s\n" $peppers)
  aws kms schedule-key-deletion --region $region --key-id $key
END
