#!/usr/bin/env bash
# Prints the outputs of the deployed stack: one line for each, with name and value.
set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh

need_aws
read_stack
[ -n "$(stack_status)" ] || die "There is no stack $stack in $region."
about_stack 'sort_by(Outputs, &OutputKey)[].[OutputKey,OutputValue]'
