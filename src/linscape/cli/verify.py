"""`linscape verify`: a certificate in, its proof by ball arithmetic out."""

from typing import Annotated, Any

import typer

from linscape.cli import arguments

EXAMPLE = "  linscape verify minimum.certificate.json"


def verify(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A certificate that `solve --certificate` wrote."),
    ],
    as_json: arguments.AsJson = False,
) -> None:
    """Prove a certificate again from its moments alone, with Arb's balls; exit 1 if it fails."""
    from linscape.cli.document import as_text
    from linscape.cli.page import print_rows
    from linscape.verification import read_certificate
    from linscape.verification import verify as prove

    found = prove(read_certificate(file))
    facts = found.to_dict()
    if as_json:
        typer.echo(as_text(facts))
    else:
        print_rows(_rows(facts))
    if found.holds is not True:
        raise typer.Exit(1)


def _rows(facts: dict[str, Any]) -> list[tuple[str, list[str]]]:
    verdict = {True: "proven", False: "refuted", None: "undecided"}[facts["holds"]]
    reason = str(facts["reason"]).removeprefix(f"{verdict}: ")
    rows = [("Verdict", [verdict if facts["holds"] else f"{verdict}: {reason}"])]
    if facts["assumption"]:
        rows.append(("Assuming", [str(facts["assumption"])]))
    if facts["lower_digits"] and facts["upper_digits"]:
        rows.append(("Proven interval", [facts["lower_digits"], facts["upper_digits"]]))
    return [*rows, ("Arithmetic", [f"Arb balls of {facts['precision_bits']} bits"])]


verify.__doc__ = f"{verify.__doc__}\n\n\b\nExample:\n{EXAMPLE}"
