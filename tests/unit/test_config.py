"""Settings: read from the environment, all errors told at once and without their values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from padan_server import config
from padan_server.config import Settings, SettingsError

SERVING = {
    "REPLICA_URLS": "postgresql://replica-1/registry",
    "LEDGER_URL": "postgresql://ledger/ledger",
    "TLS_CERTIFICATE_FILE": "/certificate.pem",
    "TLS_KEY_FILE": "/key.pem",
}
INSECURE = {
    "REPLICA_URLS": "postgresql://replica-1/registry",
    "LEDGER_URL": "postgresql://ledger/ledger",
    "HOST": "127.0.0.1",
    "INSECURE": "true",
}


class Environment:
    """The PADAN_* variables of a test, and no others."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        for name in list(os.environ):
            if name.upper().startswith("PADAN_"):
                patch.delenv(name)

    def load(self, *given: dict[str, str]) -> Settings:
        for variables in given:
            for name, value in variables.items():
                self._patch.setenv(f"PADAN_{name}", value)
        return config.load()

    def refuse(self, *given: dict[str, str]) -> list[str]:
        """Give the lines that tell what is wrong."""
        with pytest.raises(SettingsError) as refused:
            self.load(*given)
        return str(refused.value).splitlines()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(monkeypatch)


def test_what_is_needed_suffices(environment: Environment) -> None:
    settings = environment.load(SERVING)
    assert settings.replica_urls == ["postgresql://replica-1/registry"]
    assert (settings.valkey_url, settings.registry_url) == (None, None)
    assert not settings.insecure


def test_replicas_are_split_by_commas_in_order_of_preference(environment: Environment) -> None:
    settings = environment.load(SERVING, {"REPLICA_URLS": "postgresql://b, postgresql://a ,"})
    assert settings.replica_urls == ["postgresql://b", "postgresql://a"]


def test_paths_follow_the_data_directory_unless_they_are_set(environment: Environment) -> None:
    settings = environment.load(SERVING, {"DATA_DIR": "/data"})
    assert settings.worker_keys == Path("/data/keys/worker")
    assert settings.notary_keys == Path("/data/keys/notary")
    assert settings.anchor == Path("/data/anchor")
    assert settings.socket == "/data/notary.sock"
    settings = environment.load(
        {"KEYS_DIR": "/keys", "ANCHOR_FILE": "/other/disk", "NOTARY_SOCKET": "/run/n.sock"}
    )
    assert settings.worker_keys == Path("/keys/worker")
    assert settings.anchor == Path("/other/disk")
    assert settings.socket == "/run/n.sock"


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_nothing_set_tells_everything_that_is_needed(environment: Environment) -> None:
    lines = environment.refuse()
    assert any(line.startswith("PADAN_REPLICA_URLS:") for line in lines)
    assert any(line.startswith("PADAN_LEDGER_URL:") for line in lines)


def test_all_wrong_values_are_told_at_once_each_by_its_variable(environment: Environment) -> None:
    wrong = {
        "PORT": "65536",
        "WORKERS": "none",
        "CALLS_MAX": "0",
        "POLICY_POLL_SECONDS": "1",
        "DRAIN_SECONDS": "-1",
        "INSECURE": "perhaps",
        "LOG_ORIGIN": "Not A Name",
    }
    lines = environment.refuse(SERVING, wrong)
    assert {line.partition(":")[0] for line in lines} == {f"PADAN_{name}" for name in wrong}
    assert len(lines) == len(wrong)


def test_wrong_values_and_settings_that_do_not_go_together_are_told_at_once(
    environment: Environment,
) -> None:
    told = "\n".join(environment.refuse(INSECURE, {"HOST": "0.0.0.0", "PORT": "none"}))
    assert "PADAN_PORT" in told
    assert "PADAN_INSECURE" in told


def test_all_settings_that_do_not_go_together_are_told_at_once(environment: Environment) -> None:
    wrong = {"HOST": "0.0.0.0", "REPLICA_URLS": ",", "TLS_KEY_FILE": "/key.pem"}
    told = "\n".join(environment.refuse(INSECURE, wrong))
    for what in ("PADAN_REPLICA_URLS", "PADAN_TLS_CERTIFICATE_FILE", "PADAN_INSECURE"):
        assert what in told


def test_everything_that_insecure_contradicts_is_told_at_once(environment: Environment) -> None:
    (line,) = environment.refuse(SERVING, {"INSECURE": "true", "HOST": "0.0.0.0"})
    assert "contradicts" in line
    assert "loopback" in line


def test_a_lone_key_file_is_told_once(environment: Environment) -> None:
    (line,) = environment.refuse(SERVING, {"TLS_CERTIFICATE_FILE": ""})
    assert "go together" in line


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_insecure_serves_at_loopback(environment: Environment, host: str) -> None:
    assert environment.load(INSECURE, {"HOST": host}).insecure


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "padan.example", "localhost.example", ""]
)
def test_insecure_is_refused_anywhere_else(environment: Environment, host: str) -> None:
    (line,) = environment.refuse(INSECURE, {"HOST": host})
    assert "loopback" in line


def test_without_a_certificate_it_serves_nowhere_unless_told_to_be_insecure(
    environment: Environment,
) -> None:
    (line,) = environment.refuse(INSECURE, {"INSECURE": "false"})
    assert "TLS_CERTIFICATE_FILE" in line


@pytest.mark.parametrize("name", ["TLS_CERTIFICATE_FILE", "TLS_KEY_FILE"])
def test_a_certificate_and_its_key_go_together(environment: Environment, name: str) -> None:
    assert "go together" in "\n".join(environment.refuse(INSECURE, {name: "/file.pem"}))


def test_a_certificate_contradicts_insecure(environment: Environment) -> None:
    (line,) = environment.refuse(SERVING, INSECURE)
    assert "contradicts" in line


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_at_least_one_replica_is_named(environment: Environment, value: str) -> None:
    (line,) = environment.refuse(SERVING, {"REPLICA_URLS": value})
    assert line.startswith("PADAN_REPLICA_URLS")


@pytest.mark.parametrize("name", ["VALKEY_URL", "REGISTRY_URL", "KEYS_DIR"])
def test_an_empty_variable_leaves_an_optional_setting_unset(
    environment: Environment, name: str
) -> None:
    settings = environment.load(SERVING, {name: ""})
    assert getattr(settings, name.lower()) is None


def test_an_empty_ledger_url_is_told_as_missing(environment: Environment) -> None:
    (line,) = environment.refuse(SERVING, {"LEDGER_URL": ""})
    assert line.startswith("PADAN_LEDGER_URL")


@pytest.mark.parametrize(
    "wrong",
    [
        {"PORT": "hunter2"},
        {"WORKERS": "hunter2"},
        {"INSECURE": "hunter2"},
        {"CACHE_TTL_SECONDS": "hunter2"},
        {"LOG_ORIGIN": "HUNTER2 hunter2"},
        {"REPLICA_URLS": "postgresql://padan:hunter2@replica-1/registry", "TLS_KEY_FILE": ""},
        {"LEDGER_URL": "postgresql://padan:hunter2@ledger/ledger", "PORT": "x"},
        {"TLS_KEY_FILE": "/hunter2.pem", "INSECURE": "true"},
    ],
)
def test_no_value_stands_in_what_is_told(environment: Environment, wrong: dict[str, str]) -> None:
    lines = environment.refuse(SERVING, wrong)
    assert lines
    assert "hunter2" not in "\n".join(lines)


def test_a_refusal_keeps_no_values_in_its_chain_of_causes(environment: Environment) -> None:
    with pytest.raises(SettingsError) as refused:
        environment.load(SERVING, {"PORT": "hunter2"})
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_variables_of_others_are_let_be(environment: Environment) -> None:
    environment.load(SERVING, {"CHAOS_SECONDS": "600", "LAUNCHED_BY": "someone"})
