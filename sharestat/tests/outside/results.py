"""What a reader of JUnit files that is not ours finds in one, as JSON."""
import json
import sys

import junitparser

found = junitparser.JUnitXml.fromfile(sys.argv[1])
cases = []
for suite in found:
    for case in suite:
        result = case.result[0] if case.result else None
        outcome = type(result).__name__ if result is not None else "passed"
        message = result.message if result is not None else None
        cases.append([case.classname, case.name, outcome, message])
counts = {name: getattr(found, name) for name in ("tests", "failures", "errors", "skipped")}
# The file states the sums, and they are those of its cases.
stated = dict(counts)
found.update_statistics()
assert stated["tests"] == found.tests and stated["failures"] == found.failures, stated
counts["skipped"] = sum(suite.skipped for suite in found)
json.dump({**counts, "cases": cases}, sys.stdout)
