"""docs/compose: valid by Compose's own schema, and made of settings that the real server reads.

No Docker engine runs here: that the containers start is not tested.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from curate.adapters.labelstudio import connection, process, server

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = REPOSITORY / "docs/compose/compose.yaml"
OF_THE_IMAGE = {"UWSGI_PROCESSES"}  # read by the image's web server
# Prints every variable that the server's settings, and the program that starts it, ask for.
ASKED = """
import os, re, sys, json
import label_studio
sys.path.insert(0, label_studio.__path__[0])
sys.stdout = sys.stderr
asked = set()
def noting(get_env):
    def noted(name, *rest, **more):
        asked.update((name, "LABEL_STUDIO_" + name))
        return get_env(name, *rest, **more)
    return noted
import core.utils.params, label_studio.core.utils.params
for module in (core.utils.params, label_studio.core.utils.params):
    module.get_env = noting(module.get_env)
os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings.label_studio"
from django.conf import settings
settings.DATABASES
for file in ("server.py", "core/argparser.py"):
    text = open(os.path.join(label_studio.__path__[0], file)).read()
    asked |= {"LABEL_STUDIO_" + name for name in re.findall(r"get_(?:bool_)?env\\('(\\w+)'", text)}
database = {name: str(value) for name, value in settings.DATABASES["default"].items()}
found = [sorted(asked), database, settings.HOSTNAME, settings.CSRF_TRUSTED_ORIGINS]
print(json.dumps(found), file=sys.__stdout__)
"""


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def filled(text: str, values: dict[str, str]) -> str:
    """The text with its ${VARIABLES}, by Compose's rules for defaults and for what must be set."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.group(1), found.group(2), found.group(3)
        if kind == ":?":
            return values[name]
        return values.get(name) or rest

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text)


def environment_of(service: str) -> dict[str, str]:
    values = {
        "POSTGRES_PASSWORD": "pg-secret",
        "LEAD_PASSWORD": "lead-secret",
        "ADDRESS": "https://labels.test",
    }
    return {
        name: filled(value, values) for name, value in compose()["services"][service]["environment"].items()
    }


def asked(environment: dict[str, str], home: Path) -> tuple[set[str], dict[str, str], str, list[str]]:
    python = REPOSITORY / ".venv-labelstudio/bin/python"
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "LABEL_STUDIO_BASE_DATA_DIR": str(home)}
    done = subprocess.run(
        [python, "-c", ASKED], check=False, capture_output=True, text=True, timeout=120, env=own | environment
    )
    assert done.returncode == 0, done.stderr
    names, database, host, origins = json.loads(done.stdout)
    return set(names), database, host, origins


def test_the_file_is_valid_by_composes_own_schema() -> None:
    schemas = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(schemas.read_text(encoding="utf-8"))
    jsonschema.validate(compose(), schema)
    wrong = compose()
    wrong["services"]["server"]["comand"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_no_secret_stands_in_the_file_and_no_port_is_open_to_all() -> None:
    for service in compose()["services"].values():
        for name, value in service["environment"].items():
            assert "PASSWORD" not in name or re.fullmatch(r"\$\{\w+:\?.*\}", value), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_both_ends_name_the_same_database() -> None:
    there, here = environment_of("database"), environment_of("server")
    assert (here["POSTGRE_NAME"], here["POSTGRE_USER"], here["POSTGRE_PASSWORD"]) == (
        there["POSTGRES_DB"],
        there["POSTGRES_USER"],
        there["POSTGRES_PASSWORD"],
    )
    assert here["POSTGRE_HOST"] in compose()["services"]
    versions = {service["image"] for service in compose()["services"].values()} - {"postgres:17"}
    lock = (REPOSITORY / "requirements-labelstudio.lock").read_text()
    (version,) = re.findall(r"^label-studio==(\S+)", lock, re.MULTILINE)
    assert versions == {f"heartexlabs/label-studio:{version}"}


@pytest.mark.integration
def test_the_real_server_reads_every_setting(tmp_path: Path) -> None:
    environment = environment_of("server")
    names, database, host, origins = asked(environment, tmp_path)
    assert set(environment) - names == OF_THE_IMAGE
    assert database["ENGINE"] == "django.db.backends.postgresql"
    wanted = ("labels", "labels", "pg-secret", "database", "5432")
    assert tuple(database[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")) == wanted
    assert (host, origins) == ("https://labels.test", ["https://labels.test"])
    names, *_ = asked({**environment, "POSTGRES_NAME": "x"}, tmp_path)
    assert "POSTGRES_NAME" not in names  # a name that the server does not know is seen by this test


@pytest.mark.integration
def test_the_real_server_reads_what_the_embedded_one_is_given(tmp_path: Path) -> None:
    known = connection.Credentials("", "lead", "pw", "key", "postgresql://ann:pw@db:5433/labels", 2)
    environment = server._environment(tmp_path, tmp_path, known)
    del environment["HOME"]
    names, database, *_ = asked(environment, tmp_path)
    assert set(environment) <= names
    assert (database["HOST"], database["PORT"], database["USER"]) == ("db", "5433", "ann")
    assert process.LOOPBACK not in database.values()
