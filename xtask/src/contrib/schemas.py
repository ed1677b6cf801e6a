"""Holds contrib/ against the schemas of those who read it.

    schemas.py DASHBOARD DAEMONSET

The dashboard against the types that Grafana publishes (grafana-foundation-sdk, made from its
schemas): what they do not know is lost when a document is read and written again, and what they
know must be of their type. The daemon set against the schemas of all Kubernetes versions that
kubernetes-validate brings. Before a document is believed to be right, broken copies of it must
be found wrong. Prints what is wrong, one line each, and exits with 1.
"""

import copy
import enum
import json
import sys
import typing
from pathlib import Path

import kubernetes_validate
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

# Older ones are not supported by anybody.
OLDEST_KUBERNETES = (1, 29)


def is_of_type(value, hint):
    """Whether a value is what an annotation of the SDK says."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, typing.Any) or isinstance(hint, typing.TypeVar):
        return True
    if origin is typing.Union:
        return any(is_of_type(value, one) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(is_of_type(one, arguments[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict)
    if not isinstance(hint, type):
        return True
    if issubclass(hint, enum.Enum):
        return value in [one.value for one in hint]
    if hint is float:
        return type(value) in (int, float)
    # 'True' is an int to Python.
    return type(value) is hint if hint in (int, bool) else isinstance(value, hint)


def wrong_types(value, path):
    """Attributes of an object and those below it that are not of their type."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from wrong_types(one, f"{path}[{number}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from wrong_types(one, f"{path}.{key}")
    elif type(value).__module__.startswith("grafana_foundation_sdk"):
        for name, hint in typing.get_type_hints(type(value)).items():
            one = getattr(value, name, None)
            if one is not None and not is_of_type(one, hint):
                yield f"{path}.{name} is {one!r}, not {hint}"
            yield from wrong_types(one, f"{path}.{name}")


def lost(before, after, path):
    """What is not in a document any more after it was read and written."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is not known to Grafana"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after)):
            yield from lost(one, other, f"{path}[{number}]")
    elif before != after:
        yield f"{path} is {before!r} and becomes {after!r}"


def wrong_dashboard(document):
    try:
        board = Dashboard.from_json(copy.deepcopy(document))
        # Types first: what has the wrong one may not be writable.
        wrong = list(wrong_types(board, "dashboard"))
        after = json.loads(JSONEncoder().encode(board))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"dashboard cannot be read: {error!r}"]
    return wrong + list(lost(document, after, "dashboard"))


def broken_dashboards(document):
    def broken(change):
        board = copy.deepcopy(document)
        change(board)
        return board

    panel = lambda board: board["panels"][0]
    yield broken(lambda board: board.update(refesh="30s"))
    yield broken(lambda board: board.update(schemaVersion="39"))
    yield broken(lambda board: panel(board)["gridPos"].update(width=4))
    yield broken(lambda board: panel(board)["gridPos"].update(w="4"))
    yield broken(lambda board: panel(board)["options"].update(colourMode="none"))
    yield broken(lambda board: panel(board)["options"].update(colorMode="loud"))
    yield broken(lambda board: panel(board)["targets"][0].update(query="up"))
    yield broken(lambda board: board["templating"]["list"][1].update(refresh=7))


def kubernetes_versions():
    # An installed package, so there is a folder.
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    found = {tuple(map(int, path.name.lstrip("v").split(".")[:2])) for path in folder.glob("v*")}
    return sorted(version for version in found if version >= OLDEST_KUBERNETES)


def wrong_resources(documents, versions):
    wrong = []
    for document in documents:
        for version in versions:
            name = "{}.{}".format(*version)
            try:
                kubernetes_validate.validate(document, name, strict=True)
            except kubernetes_validate.ValidationError as error:
                place = ".".join(map(str, error.path))
                wrong.append(f"{document['kind']}, Kubernetes {name}: {place}: {error.message}")
    return wrong


def broken_resources(documents):
    def broken(change):
        copies = copy.deepcopy(documents)
        change(copies[1]["spec"]["template"]["spec"])
        return copies

    container = lambda spec: spec["containers"][0]
    yield broken(lambda spec: spec.update(hostPid=True))
    yield broken(lambda spec: container(spec).update(args="serve"))
    yield broken(lambda spec: container(spec)["securityContext"].update(runAsUser="root"))
    yield broken(lambda spec: container(spec)["ports"][0].pop("containerPort"))


def main(dashboard, daemon_set):
    register_default_plugins()
    board = json.loads(Path(dashboard).read_text())
    wrong = wrong_dashboard(board)
    for number, broken in enumerate(broken_dashboards(board)):
        if wrong_dashboard(broken) == wrong:
            wrong.append(f"broken dashboard {number} was not found to be wrong")
    resources = list(yaml.safe_load_all(Path(daemon_set).read_text()))
    versions = kubernetes_versions()
    if not versions:
        wrong.append("kubernetes-validate brings no schemas")
    wrong += wrong_resources(resources, versions)
    for number, broken in enumerate(broken_resources(resources)):
        if not wrong_resources(broken, versions[-1:]):
            wrong.append(f"broken daemon set {number} was not found to be wrong")
    for line in wrong:
        print(line)
    first, last = versions[0], versions[-1]
    print(
        f"dashboard: schema {board['schemaVersion']}; {len(resources)} resources:"
        f" Kubernetes {first[0]}.{first[1]} to {last[0]}.{last[1]}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
