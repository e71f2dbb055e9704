#!/usr/bin/env bash
# Takes the deployed stack down. The log, its audit copy, the peppers and the key stay, since nobody could bring them
# back; it says where they are, what they cost and how to delete them too.
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
These stay when the stack is gone, and cost, in us-east-1:

  table $tokens
  table $audit
      0.25 USD a GB and month, and 0.20 for the point-in-time recovery of that GB
$(printf '  secret %s\n' $peppers)
      0.40 USD a month for each
  key $key
      1 USD a month, and 1 more for each of its first two yearly rotations

Without its pepper no token of these tables can ever be checked again.

END
"$sam" delete --stack-name "$stack" --region "$region"
cat <<END

To delete what stays, for good:

  for table in $tokens $audit; do
    aws dynamodb update-table --region $region --table-name \$table --no-deletion-protection-enabled
    aws dynamodb delete-table --region $region --table-name \$table
  done
$(printf "  aws secretsmanager delete-secret --region $region --secret-id %s\n" $peppers)
  aws kms schedule-key-deletion --region $region --key-id $key
END
