"""Certificates of global minima that others can check, with a checker that trusts no solver."""

from linscape.verification.document import certificate_document
from linscape.verification.statement import read_certificate
from linscape.verification.verdict import Verification, verify

__all__ = ["Verification", "certificate_document", "read_certificate", "verify"]
