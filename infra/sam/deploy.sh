#!/usr/bin/env bash
# Deploys template.yaml. The first time, it asks for the name, the region, a token prefix and an alarm topic, and stores the
# answers in samconfig.toml. Later deployments ask nothing. Each deployment ends with the smoke test against the service.
# The first one also makes the first administrator's token, in a file that only you can read.
#
# It needs the AWS CLI, and credentials where the AWS CLI finds them. SAM has the path of sam, if sam is not on PATH. ARCH,
# the processor of the functions, and STACK, the proposed name of the stack, are for the first deployment only. CONFIG_ENV
# selects the section of samconfig.toml, for a second stage or region.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh

main() {
  need_aws
  if [ -n "$(settings)" ]; then
    read_stack
    as_before STACK stack_name "${STACK:-}" "$stack"
    as_before ARCH Arch "${ARCH:-}" "$(saved_arch)"
  else
    ask
  fi
  deployable
  find_sam
  say "Deploying stack $stack to account $account, region $region. The first deployment takes several minutes, later ones one or two." \
    "If it fails, the reasons and the next step are at the end."
  make -s build
  local arch
  arch=$(saved_arch)
  build "${arch:-arm64}"
  "$sam" deploy --config-env "$config_env" --no-confirm-changeset --no-fail-on-empty-changeset || explain_failure
  administrator
}

# as_before stops if a variable asks for something else than the first deployment.
as_before() {
  [ -z "$3" ] || [ "$3" = "$4" ] ||
    die "$1=$3 is given, but samconfig.toml has $2=$4 in the section [$config_env.deploy.parameters]. Without $1 this stack is deployed as it is." \
      "For another stack give CONFIG_ENV=NAME too. To change this one, edit samconfig.toml."
}

# ask asks what is needed for a first deployment, and stores it.
ask() {
  local arch=${ARCH:-arm64} prefix topic
  [[ $arch =~ ^(arm64|x86_64)$ ]] || die "ARCH is '$arch'; allowed: arm64, x86_64"
  say "First deployment to account $account. The answers go into samconfig.toml, section [$config_env.deploy.parameters]."
  say "The README has a table of all other parameters. Set them there in parameter_overrides at any time."
  say
  stack=$(question "Name of the stack" "${STACK:-apitoken}" '[A-Za-z][A-Za-z0-9-]{0,63}' "a letter, then up to 63 letters, digits or -")
  region=$(question "AWS region" "$(default_region)" '[a-z]+(-[a-z]+)+-[0-9]+' "a region such as eu-central-1")
  [ -z "$(stack_status)" ] ||
    die "There is a stack $stack in $region already, and this folder has no settings for it. Its samconfig.toml is in the folder from which" \
      "it was deployed: copy the file to here, or run the command again and give another name."
  say
  say "With a prefix, tokens look like acme_JhxND7ci.AWrR... Secret scanners (GitHub, GitLab, gitleaks) find leaked tokens by such a"
  say "prefix: take a word that no other service uses. Without a prefix they cannot recognise your tokens."
  prefix=$(question "Token prefix, or nothing" "" '[a-z0-9]{0,16}' "up to 16 of the letters a-z and digits, without the underscore")
  say
  say "Alarms go to an SNS topic in $region. Without one they are visible only in CloudWatch, and notify no person. To make one:"
  say "  aws sns create-topic --region $region --name $stack-alarms"
  say "  aws sns subscribe --region $region --topic-arn ARN --protocol email --notification-endpoint you@example.com"
  topic=$(question "ARN of the alarm topic, or nothing" "" "(arn:[a-z0-9-]+:sns:$region:[0-9]{12}:[A-Za-z0-9_-]{1,256})?" \
    "arn:aws:sns:$region:ACCOUNT:NAME, in the region of the stack")
  say
  save "$arch" "$prefix" "$topic"
}

# question asks until the answer matches. An empty answer is the default.
question() {
  local text=$1 default=$2 pattern=$3 allowed=$4 answer
  local LC_ALL=C # in other locales [a-z] may have capitals
  while :; do
    printf '%s%s: ' "$text" "${default:+ [$default]}" >&2
    read -r answer || die "there is no answer: standard input has ended"
    answer=${answer:-$default}
    [[ ! $answer =~ ^($pattern)$ ]] || break
    say "'$answer' is not possible; allowed: $allowed"
  done
  printf '%s\n' "$answer"
}

# save writes the section of this CONFIG_ENV. The patterns of the answers allow no character that TOML would need to quote.
save() {
  [ -s samconfig.toml ] || echo 'version = 0.1' >samconfig.toml
  cat >>samconfig.toml <<END

[$config_env.deploy.parameters]
stack_name = "$stack"
region = "$region"
resolve_s3 = true
s3_prefix = "$stack"
capabilities = "CAPABILITY_IAM"
parameter_overrides = "Arch=\"$1\" TokenPrefix=\"$2\" AlarmTopic=\"$3\""
END
}

# deployable stops if CloudFormation cannot update the stack, and says what to do.
deployable() {
  local status
  status=$(stack_status)
  not_busy "$status"
  case $status in
    '' | REVIEW_IN_PROGRESS | CREATE_COMPLETE | UPDATE_COMPLETE | UPDATE_ROLLBACK_COMPLETE | IMPORT_COMPLETE) return 0 ;;
  esac
  say "Stack $stack in $region cannot be updated: its status is $status."
  reasons
  case $status in
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED)
      die "Its first deployment failed. Remove the cause. Then run 'make undeploy', which deletes the rest of it, and 'make deploy' again." ;;
    UPDATE_ROLLBACK_FAILED)
      die "An update failed, and so did its rollback. Remove the cause. Then run" \
        "'aws cloudformation continue-update-rollback --region $region --stack-name $stack', and 'make deploy' when it is over." ;;
    UPDATE_FAILED)
      die "An update failed and was not rolled back. Run 'aws cloudformation rollback-stack --region $region --stack-name $stack'," \
        "and 'make deploy' when it is over." ;;
    DELETE_FAILED)
      die "Its deletion failed. Remove the cause, and run 'make undeploy' again." ;;
    IMPORT_ROLLBACK_*)
      # An update would make new tables and a new pepper beside those that should have been imported.
      die "Its import failed. Run 'aws cloudformation delete-stack --region $region --stack-name $stack', remove the cause, and run restore.sh again." ;;
    *) die "Look at the stack in the console of CloudFormation." ;;
  esac
}

# reasons prints the newest failures of the stack. Cancelled resources are consequences.
reasons() {
  local failures
  failures=$(aws cloudformation describe-stack-events --region "$region" --stack-name "$stack" --output text \
    --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId,ResourceStatusReason]" | grep -v 'cancelled' | head -n 5) || true
  [ -z "$failures" ] || say "The newest failures:"$'\n'"$failures"
}

explain_failure() {
  local status
  status=$(stack_status)
  say
  say "The deployment failed."
  case $status in
    '' | REVIEW_IN_PROGRESS) die "Nothing was created. Remove the cause, and run 'make deploy' again." ;;
    CREATE_COMPLETE | UPDATE_COMPLETE | UPDATE_ROLLBACK_COMPLETE | IMPORT_COMPLETE)
      [ "$status" != UPDATE_ROLLBACK_COMPLETE ] || reasons
      die "The stack is as it was before. Remove the cause, and run 'make deploy' again." ;;
    *) deployable ;;
  esac
  die "Run 'make deploy' again."
}

# build uses the sources in place, because a copy for each function would also copy all caches.
build() { ARCH=$1 "$sam" build --build-in-source --parameter-overrides "Arch=$1"; }

# administrator writes the first administrator's token, unless there is an administrator already. It passes the peppers
# in the environment, which other users cannot read, and never in a command line.
administrator() {
  local table url prefix file PEPPERS first=''
  table=$(output TokenTableName)
  url=$(output ApiUrl)
  prefix=$(parameter TokenPrefix)
  file=$table.token
  [ -e "$file" ] || first=yes
  PEPPERS=$(AWS_REGION=$region bin/apitoken peppers --stack "$stack")
  PEPPERS=$PEPPERS TOKEN_PREFIX=$prefix AWS_REGION=$region bin/apitoken bootstrap --table "$table" --out "$file" --first
  smoke "$url" "${first:+$file}"
  say "The service answers at $url ('make outputs' shows all addresses)."
  [ ! -s "$file" ] || say "To use it:"$'\n'"  export APITOKEN_URL=$url APITOKEN_TOKEN_FILE=$PWD/$file"
}

# smoke runs the smoke test. Only a first deployment has just made a token; later ones test without it, because the
# administrator may have moved it away. A new API may need a moment until it answers.
smoke() {
  local left failed target host=${1#https://}
  host=${host%%/*}
  for ((left = 30; left > 0; left--)); do
    failed=0
    curl -sf -m 10 -o /dev/null "$1/v1/version" || failed=$?
    [ "$failed" != 0 ] || break
    # 6: curl did not find the host. The parameter DomainName needs a DNS record of its own.
    if [ "$failed" = 6 ] && target=$(output DomainTarget) && [[ $target == *.* ]]; then
      die "The stack is deployed, but ${host} has no DNS record. Make one that points to $target, then run 'make deploy' again."
    fi
    sleep 2
  done
  say "The smoke test calls $1:"
  if [ -s "$2" ]; then set -- "$1" "$2"; else set -- "$1"; fi
  localstack/smoke.sh "$@" ||
    die "The stack is deployed, but the smoke test failed. Look in the logs of the functions; the runbook in infra/sam/README.md says how."
}

main "$@"
