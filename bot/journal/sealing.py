"""Authenticated encryption of what must stay secret until it is revealed (RFC 8439, ChaCha20-Poly1305)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealError(ValueError):
    """A sealed value does not open: another key, another place, or changed bytes."""


class Sealer:
    """Seals and unseals values with one key of 32 bytes.

    A sealed value opens only for the fund, kind and market time it was sealed for, so it cannot be moved to
    another record. Nonces are random: one key may seal four thousand million values (NIST SP 800-38D, 8.3).
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, plain: bytes, fund: str, kind: str, time_ms: int) -> bytes:
        """Nonce and ciphertext of `plain`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _place(fund, kind, time_ms))

    def unseal(self, sealed: bytes, fund: str, kind: str, time_ms: int) -> bytes:
        """What was sealed here.

        Raises:
            SealError: it was not sealed with this key for this place.
        """
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, _place(fund, kind, time_ms))
        except (InvalidTag, ValueError) as error:
            raise SealError("sealed value does not open") from error


def _place(fund: str, kind: str, time_ms: int) -> bytes:
    # Two numbers and a kind without a bar come first, so no fund name can make two places look alike.
    return f"inband-1|{time_ms}|{kind}|{fund}".encode()
