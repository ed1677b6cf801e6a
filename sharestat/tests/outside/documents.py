"""Holds each document to its schema: pairs of files as arguments."""
import json
import sys

import jsonschema

failed = 0
for schema, document in zip(sys.argv[1::2], sys.argv[2::2]):
    with open(schema) as file:
        schema_itself = json.load(file)
    with open(document) as file:
        found = json.load(file)
    kind = jsonschema.validators.validator_for(schema_itself)
    kind.check_schema(schema_itself)
    checker = kind(schema_itself, format_checker=kind.FORMAT_CHECKER)
    for error in list(checker.iter_errors(found))[:5]:
        failed = 1
        print(f"{document}: {error.json_path}: {error.message}")
sys.exit(failed)
