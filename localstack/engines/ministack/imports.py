"""Lets MiniStack import secrets into a stack, and keep the names of imported resources.

MiniStack 1.5.33 imports tables and no secrets; infra/sam/restore.sh needs both. At the next update of the stack it gives
a resource without a name in the template the name that it would have generated, so it replaces an imported table by an
empty one. CloudFormation replaces a resource only if a property changes ("Import AWS resources into a CloudFormation
stack" in its User Guide; the examples of `cdk import` have no names).
"""

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

NAMES = {"AWS::DynamoDB::Table": "TableName", "AWS::SecretsManager::Secret": "Name"}


def import_secret(identifier):
    """Finds the secret that an import names: its name in the stack, and its attributes."""
    for name, secret in secretsmanager._secrets.items():
        if secret["ARN"] == identifier["Id"]:
            return name, {"Id": secret["ARN"], "Arn": secret["ARN"]}
    raise ValueError(f"there is no secret {identifier['Id']}")


def keeping(update, member):
    """The update of a resource whose template has no name, with the name that the resource has."""

    def updated(physical_id, old, new, stack_name, logical_id=None):
        if member not in old and member not in new:
            old, new = {**old, member: physical_id}, {**new, member: physical_id}
        return update(physical_id, old, new, stack_name, logical_id)

    return updated


provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["import"] = import_secret
for kind, member in NAMES.items():
    handlers = provisioners._RESOURCE_HANDLERS[kind]
    handlers["update"] = keeping(handlers["update"], member)
