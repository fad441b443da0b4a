"""Settings: environment variables PADAN_*, read once at start, all errors told at once."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0)]


class SettingsError(Exception):
    """Some settings are missing or wrong; the text has a line for each."""


class Settings(BaseSettings):
    """What an operator can set. Every field is the environment variable PADAN_<NAME>.

    An empty variable counts as unset. A rule between settings stands at the last of them, so that
    it is told beside what is wrong with each.
    """

    model_config = SettingsConfigDict(
        env_prefix="PADAN_",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_default=True,
    )

    data_dir: Path = Field(
        Path("/var/lib/padan"), description="Keys, the anchor, the run directory."
    )
    keys_dir: Path | None = Field(None, description="The keys' directory; DATA_DIR/keys if unset.")
    anchor_file: Path | None = Field(
        None,
        description="The ledger's anchor, kept off the database's disk; DATA_DIR/anchor if unset.",
    )
    notary_socket: Path | None = Field(
        None, description="The notary's unix socket; DATA_DIR/notary.sock if unset."
    )

    host: str = Field("0.0.0.0", description="Address to listen at.")  # noqa: S104 - a server
    port: int = Field(8443, ge=0, le=65535, description="Port to listen at; 0 takes a free one.")
    workers: int = Field(2, ge=1, le=64, description="Worker processes; one per core that is free.")
    tls_certificate_file: Path | None = Field(None, description="Certificate chain, PEM.")
    tls_key_file: Path | None = Field(None, description="Private key, PEM.")
    insecure: bool = Field(False, description="Serve without TLS; only at a loopback address.")
    audience: str = Field("padan", min_length=1, description="The `aud` that tokens must name.")

    replica_urls: Annotated[list[str], NoDecode] = Field(
        description="PostgreSQL URLs of registry replicas, by commas; the first is preferred."
    )
    ledger_url: str = Field(description="PostgreSQL URL of the ledger database.")
    valkey_url: str | None = Field(
        None, description="Valkey or Redis URL; no second cache if unset."
    )
    registry_url: str | None = Field(
        None,
        description="PostgreSQL URL of the registry's primary, if this server is its keeper.",
    )
    log_origin: str = Field(
        "padan.example/log",
        pattern=r"^[a-z0-9][a-z0-9./-]{0,99}$",
        description="The log's name, as in its checkpoints.",
    )

    metrics_host: str = Field(
        "127.0.0.1", description="Address of /metrics (Prometheus); it has no authentication."
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of /metrics; 0 takes a free one, none if unset."
    )

    calls_max: int = Field(1000, ge=1, le=5000, description="Calls under way in one worker.")
    append_timeout_seconds: Seconds = Field(3.0, description="Longest wait for the ledger.")
    policy_poll_seconds: Seconds = Field(
        0.25, lt=1, description="Pause between polls of agreements."
    )
    staleness_max_seconds: Seconds = Field(
        86_400.0,
        description="Age of the registry copy from which nothing is answered, and the service says "
        "NOT_SERVING.",
    )
    clock_error_seconds: float = Field(
        0.05, ge=0, le=5, description="By how much the clocks of registry and workers may differ."
    )
    cache_ttl_seconds: Seconds = Field(
        3600.0,
        le=86_400,
        description="How long a record is kept in the caches. Changes reach answers at once.",
    )
    cache_bytes_max: int = Field(
        64 * 1024 * 1024, ge=65_536, description="Bytes of records in one worker's memory."
    )
    region_behind_seconds: Seconds = Field(
        86_400.0, description="Age of a region's watermark from which the region is behind."
    )
    summary_seconds: Seconds = Field(60.0, description="Period after which refusals are summed up.")
    drain_seconds: Seconds = Field(10.0, description="Time for calls under way at shutdown.")

    @field_validator("replica_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            value = [url.strip() for url in value.split(",") if url.strip()]
        if not value:
            raise ValueError("must name at least one replica")
        return value

    @field_validator("tls_key_file")
    @classmethod
    def _check_pair(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_certificate_file") is None):
            raise ValueError("this and PADAN_TLS_CERTIFICATE_FILE go together")
        return value

    @field_validator("insecure")
    @classmethod
    def _check_insecure(cls, value: bool, info: ValidationInfo) -> bool:
        # What broke a rule of its own is not there, and was told.
        files = [info.data[n] for n in ("tls_certificate_file", "tls_key_file") if n in info.data]
        broken = []
        if not value and files == [None, None]:
            broken.append(
                "without it, PADAN_TLS_CERTIFICATE_FILE and PADAN_TLS_KEY_FILE are needed"
            )
        if value and any(files):
            broken.append("contradicts PADAN_TLS_CERTIFICATE_FILE and PADAN_TLS_KEY_FILE")
        if value and "host" in info.data and not _is_loopback(info.data["host"]):
            broken.append("is for loopback addresses only: set PADAN_HOST=127.0.0.1")
        if broken:
            raise ValueError("; ".join(broken))
        return value

    @property
    def worker_keys(self) -> Path:
        """The directory of the workers' keys."""
        return (self.keys_dir or self.data_dir / "keys") / "worker"

    @property
    def notary_keys(self) -> Path:
        """The directory of the notary's keys."""
        return (self.keys_dir or self.data_dir / "keys") / "notary"

    @property
    def anchor(self) -> Path:
        """The anchor's file."""
        return self.anchor_file or self.data_dir / "anchor"

    @property
    def socket(self) -> str:
        """The notary's socket."""
        return str(self.notary_socket or self.data_dir / "notary.sock")


def load() -> Settings:
    """Read the settings. Raises SettingsError; its text holds no values."""
    try:
        return Settings()  # type: ignore[call-arg]  # the environment fills it
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            lines.append(f"PADAN_{name}: {problem['msg'].removeprefix('Value error, ')}")
        raise SettingsError("\n".join(lines)) from None


def address(host: str, port: int) -> str:
    """Write an address as gRPC takes it: IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
