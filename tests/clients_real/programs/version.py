"""Tells the version of a package: python version.py PACKAGE."""

import json
import sys
from importlib.metadata import version

print(json.dumps(version(sys.argv[1])))
