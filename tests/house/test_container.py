"""The container image and its compose file, as parsed."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


def final_stage() -> dict[str, str]:
    """The last stage's instructions; of several of a kind the last."""
    found = instructions()
    start = max(place for place, (word, _) in enumerate(found) if word == "FROM")
    return dict(found[start:])


def environment() -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for pair in final_stage()["ENV"].split())


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    """The daemon's service in compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["inband"]
    return found


def test_the_base_can_be_chosen() -> None:
    """Both stages start from one argument, so that an image builds where a registry is out of reach."""
    found = instructions()
    assert found[0][0] == "ARG"
    assert {rest.partition(" ")[0] for word, rest in found if word == "FROM"} == {"${BASE}"}


def test_packages_are_installed_by_hash() -> None:
    """What is in the image is what was tested."""
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "-r /build/chosen.lock" in installs[0]
    assert ("COPY", "config/${LOCK}.lock /build/chosen.lock") in instructions()


def test_the_image_is_the_daemons_and_may_be_the_studys() -> None:
    """Both locks exist; the argument is the remedy that `backtest` names in the small image."""
    assert ("ARG", "LOCK=runtime") in instructions()
    assert all((REPOSITORY / "config" / f"{lock}.lock").is_file() for lock in ("runtime", "study"))
    assert "--build-arg LOCK=study" in (REPOSITORY / "bot" / "cli_study.py").read_text()


def test_the_user_has_no_rights() -> None:
    """A fixed number, so that volumes keep their owner over versions."""
    assert final_stage()["USER"] == "10001:10001"


def test_commands_are_processes_and_not_shells() -> None:
    """A shell in between would keep SIGTERM from the daemon."""
    stage = final_stage()
    assert json.loads(stage["ENTRYPOINT"]) == ["python", "-m", "bot"]
    assert json.loads(stage["CMD"]) == ["run"]
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_the_health_check_asks_where_the_server_listens() -> None:
    """The check follows INBAND_WEB__PORT, and needs no tool but Python."""
    check = final_stage()["HEALTHCHECK"]
    command = json.loads(check[check.index("[") :])
    assert command[0] == "python"
    compile(command[2], "HEALTHCHECK", "exec")
    assert "INBAND_WEB__PORT" in command[2]
    assert "/healthz" in command[2]
    assert environment()["INBAND_WEB__PORT"] == final_stage()["EXPOSE"]


def test_data_is_on_the_volume() -> None:
    """The journal outlives the container."""
    assert environment()["INBAND_DATA_DIR"] == final_stage()["VOLUME"] == "/data"


def test_only_what_is_copied_is_sent_to_the_build() -> None:
    """Everything is left out but what is named: no key, no journal can slip into an image."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        rest.split()[0].partition("/")[0]
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
    }
    assert copied <= sent
    assert "**/.env" in rules


def test_the_image_starts_in_no_mode_of_its_own() -> None:
    """Paper as it is; another mode by the user's environment alone."""
    assert "INBAND_MODE" not in environment()


def test_the_service_has_no_rights(service: dict[str, Any]) -> None:
    """It writes to its volume alone."""
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert not service.get("privileged")


def test_the_page_is_published_on_this_machine_only(service: dict[str, Any]) -> None:
    """Whoever wants it elsewhere puts a proxy in front."""
    assert all(str(port).startswith("127.0.0.1:") for port in service["ports"])


def test_the_service_has_time_to_park_a_rebalance(service: dict[str, Any]) -> None:
    """A stop must not become a kill."""
    assert service["stop_grace_period"] == "30s"


def test_the_services_volume_is_the_images(service: dict[str, Any]) -> None:
    """The volume is mounted where the image keeps its data."""
    assert [volume.split(":")[1] for volume in service["volumes"]] == [environment()["INBAND_DATA_DIR"]]


def test_the_images_python_is_one_the_project_supports() -> None:
    """The base's version stands among the project's classifiers."""
    base = instructions()[0][1]
    version = re.search(r"python:(\d+\.\d+)-", base)
    classifiers = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["classifiers"]
    assert version is not None
    assert f"Programming Language :: Python :: {version[1]}" in classifiers
