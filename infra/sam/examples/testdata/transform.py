"""Prints the SAM template in the file argv[1] as CloudFormation gets it, with the defaults of its parameters."""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """No example names a managed policy, so the translator needs no list from AWS."""

    def load(self):
        return {}


with open(sys.argv[1]) as file:
    template = yaml_parse(file.read())
defaults = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
json.dump(transform(template, defaults, ManagedPolicies()), sys.stdout)
