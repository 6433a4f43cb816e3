"""The registry of public keys, `JOULEBOARD_HOME/keys.json`: whose they are, and which were revoked.

It holds nothing secret, can be read by everybody, and may be copied to other machines.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from benchmark_tasks import disk
from benchmark_tasks.errors import SignatureError, first_problem
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing.signature import key_bytes, key_id, text_of


class KeyKind(StrEnum):
    """Whose key it is."""

    HOST = "host"
    CONTRIBUTOR = "contributor"
    PUBLISHER = "publisher"


def _canonical(public_key: str) -> str:
    """A public key as this program writes it, so that two texts of one key are equal."""
    try:
        return text_of(key_bytes(public_key))
    except SignatureError as error:
        raise ValueError(str(error)) from error


class Key(BaseModel):
    """A public key. `revoked_at`, `why`: since when it is not trusted any more, and the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    kind: KeyKind
    public_key: Annotated[str, AfterValidator(_canonical)]
    added_at: AwareDatetime
    revoked_at: AwareDatetime | None = None
    why: str | None = None

    @property
    def id(self) -> str:
        """Short name of the key."""
        return key_id(self.public_key)


class Registry(BaseModel):
    """Public keys, and from when on bundles and publications must be signed.

    required_from: what started earlier may be unsigned; `None`: anything may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    required_from: AwareDatetime | None = None
    keys: tuple[Key, ...] = ()

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """The registry of an installation; an empty one if there is none.

        Raises:
            SignatureError: the file is damaged.
        """
        return cls.read_file(settings.keys, missing_is_empty=True)

    @classmethod
    def read_file(cls, path: Path, *, missing_is_empty: bool = False) -> Self:
        """A registry in a file.

        Raises:
            SignatureError: it is missing or damaged.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            if missing_is_empty:
                return cls()
            raise SignatureError(f"{path}: no such registry of keys") from error
        except OSError as error:
            raise SignatureError(f"{path}: cannot be read ({error.strerror or error})") from error
        except ValidationError as error:
            raise SignatureError(f"{path}: {first_problem(error)}; correct the registry of keys") from error

    def write(self, settings: Settings) -> None:
        """Replace the registry of an installation."""
        disk.replace(settings.keys, self.model_dump_json(indent=1) + "\n", mode=0o644)

    @property
    def digest(self) -> str:
        """Changes when a key, its state or the requirement does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def trust(self, name: str, kind: KeyKind, public_key: str) -> Self:
        """This registry with one more key.

        Raises:
            SignatureError: the name or the key is in it already, or has another form.
        """
        if any(key.name == name for key in self.keys):
            raise SignatureError(f"there is a key named {name} already; see `jouleboard keys list`")
        try:
            key = Key(name=name, kind=kind, public_key=public_key, added_at=datetime.now(UTC))
        except ValidationError as error:
            raise SignatureError(first_problem(error)) from error
        if known := self.find(key.public_key):
            raise SignatureError(f"this key is in the registry already, as {known.name}")
        return self.model_copy(update={"keys": (*self.keys, key)})

    def revoke(self, name: str, why: str) -> Self:
        """This registry with a key that is trusted no more.

        Raises:
            SignatureError: there is no such key, it is revoked already, or no reason is given.
        """
        known = {key.name: key for key in self.keys}
        if name not in known:
            raise SignatureError(f"no key named {name!r}; there are: {', '.join(known) or 'none'}")
        if not why.strip():
            raise SignatureError("say why the key is revoked")
        if known[name].revoked_at is not None:
            raise SignatureError(f"the key {name} is revoked already")
        known[name] = known[name].model_copy(update={"revoked_at": datetime.now(UTC), "why": why.strip()})
        return self.model_copy(update={"keys": tuple(known.values())})

    def find(self, public_key: str) -> Key | None:
        """The entry of a public key."""
        return next((key for key in self.keys if key.public_key == public_key), None)

    def requires_signature(self, started_at: datetime) -> bool:
        """Whether what started at a time must be signed."""
        return self.required_from is not None and started_at >= self.required_from

    def objection(self, public_key: str | None, started_at: datetime) -> str | None:
        """Why a signature is not enough; `None` if it is, or if none is needed.

        public_key: the key that signed; `None` for what is unsigned. started_at: of the run or publication.
        """
        if public_key is None:
            if self.requires_signature(started_at):
                return f"unsigned; signatures are required from {self.required_from:%F %R %Z} on"
            return None
        key = self.find(public_key)
        if key is None:
            return (
                f"signed with key {key_id(public_key)}, which is not in the registry;"
                f" `jouleboard keys trust NAME {public_key}` after asking its owner"
            )
        if key.revoked_at is not None:
            return f"signed with the key of {key.name}, revoked on {key.revoked_at:%F}: {key.why}"
        return None

    def name_of(self, public_key: str | None) -> str | None:
        """The name that the registry has for a key, else the key's id; `None` for what is unsigned."""
        if public_key is None:
            return None
        key = self.find(public_key)
        return key.name if key else key_id(public_key)

    def contributor_of(self, public_key: str | None) -> str | None:
        """The contributor whose key signed; `None` for what our hosts signed, and for what is unsigned.

        A key that is not in the registry is nobody's of ours.
        """
        key = self.find(public_key) if public_key else None
        is_ours = public_key is None or (key is not None and key.kind is not KeyKind.CONTRIBUTOR)
        return None if is_ours else self.name_of(public_key)

    def describe(self, public_key: str | None) -> str:
        """Who signed, in words."""
        if public_key is None:
            return "unsigned"
        key = self.find(public_key)
        return f"signed by {key.name} ({key.kind})" if key else f"signed with key {key_id(public_key)}"
