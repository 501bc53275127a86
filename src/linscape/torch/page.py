"""Headings with lines, as text and as HTML."""

import html
import textwrap

_WIDTH = 96
Section = tuple[str, list[str]]

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}h1{font-size:1.4rem}h2{font-size:1rem;margin:1.4rem 0 .2rem}"
    "p{margin:.2rem 0}"
)


def as_text(sections: list[Section]) -> str:
    """Return the sections one below the other."""
    lines = []
    for heading, content in sections:
        lines.append(heading)
        for line in content:
            lines += textwrap.wrap(
                line,
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def as_html(sections: list[Section]) -> str:
    """Return one page that needs nothing else: no script, no request."""
    body = []
    for heading, content in sections:
        body.append(f"<h2>{html.escape(heading)}</h2>")
        body += [f"<p>{html.escape(line)}</p>" for line in content]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>linscape diagnosis</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>Will this model collapse?</h1>\n{chr(10).join(body)}\n</body></html>\n"
    )
