"""An explanation for people: coloured words in a notebook, the same in plain text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autonoe_nace.model.explain_result import Explanation, WordShare

_BARS = 12
_FOR, _AGAINST = "0, 114, 178", "213, 94, 0"
"""Blue and vermilion of Okabe and Ito: told apart by all who see colours differently."""

_KIND = {
    "word": "word",
    "characters": "letters",
    "words": "words in a row",
    "feature": "side variable",
    "end": "any text",
    "constant": "any text, linear part",
    "neighbours": "like training texts",
}


def render(found: Explanation) -> str:
    """Return ``found`` as HTML: safe for any text, readable without colours.

    Each word carries a sign and, as its title, its number; the numbers follow in a table.
    """
    strongest = max((abs(word.value) for word in found.words), default=0.0) or 1.0
    words = " ".join(_word(word, strongest) for word in found.words)
    rows = "".join(
        f"<tr><td>{html.escape(_KIND.get(c.kind, c.kind))}</td><td>{html.escape(c.text)}</td>"
        f'<td style="text-align:right">{c.value:+.3f}</td></tr>'
        for c in found.contributions
    )
    rest = f'<tr><td colspan="2">all others</td><td style="text-align:right">{found.rest:+.3f}</td>'
    total = (
        f'<tr><th colspan="2">sum</th><th style="text-align:right">{found.logit_difference:+.3f}'
        "</th></tr>"
    )
    extra = "".join(f"<p><b>{title}</b> {text}</p>" for title, text in _extra(found) if text)
    return (
        '<div class="autonoe-explanation" role="group" '
        f'aria-label="{html.escape(_headline(found), quote=True)}" '
        'style="font-family:var(--jp-ui-font-family,sans-serif);'
        'color:var(--jp-ui-font-color1,#212121)">'
        f"<p>{html.escape(_headline(found))}</p>"
        f'<p style="line-height:2">{words}</p>'
        f"{extra}"
        "<details><summary>The numbers</summary><table><thead><tr><th>What</th><th>Feature</th>"
        f"<th>Calibrated logits</th></tr></thead><tbody>{rows}{rest}</tr>{total}</tbody></table>"
        "</details></div>"
    )


def document(found: Sequence[Explanation]) -> str:
    """Return a page of HTML with each explanation in turn."""
    body = "<hr>".join(map(render, found))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Explanations</title></head><body>{body}</body></html>\n"
    )


def plain(found: Explanation) -> str:
    """Return ``found`` as lines of text."""
    strongest = max((abs(word.value) for word in found.words), default=0.0) or 1.0
    lines = [_headline(found)]
    width = max((len(word.word) for word in found.words), default=0)
    for word in found.words:
        bar = "#" * round(abs(word.value) / strongest * _BARS)
        lines.append(f"  {word.word:<{width}}  {word.value:+7.3f}  {bar}")
    lines.append(f"  {'(no word)':<{width}}  {found.other:+7.3f}")
    lines += [f"{title} {text}" for title, text in _plain_extra(found) if text]
    return "\n".join(lines)


def _headline(found: Explanation) -> str:
    said = f"{found.code} {found.title} ({found.probability:.1%})"
    other = f"{found.against} {found.against_title} ({found.against_probability:.1%})"
    rule = " The rules engine decided; what follows is the model's view." * (
        found.stage == "lookup"
    )
    return f"Why {said} rather than {other}.{rule}"


def _word(word: WordShare, strongest: float) -> str:
    strength = round(min(1.0, abs(word.value) / strongest) * 0.45, 3)
    colour = _FOR if word.value >= 0 else _AGAINST
    sign = "+" if word.value >= 0 else "\u2212"
    spoken = f"{word.word}: {word.value:+.3f}"
    return (
        f'<span title="{html.escape(spoken, quote=True)}" '
        f'style="background:rgba({colour},{strength});padding:1px 3px;border-radius:3px">'
        f"{html.escape(word.word)}<sup>{sign}</sup></span>"
    )


def _extra(found: Explanation) -> Sequence[tuple[str, str]]:
    return [(html.escape(title), html.escape(text)) for title, text in _plain_extra(found)]


def _plain_extra(found: Explanation) -> Sequence[tuple[str, str]]:
    near = "; ".join(f"{x.text} ({x.code}, {x.similarity:.2f})" for x in found.nearest)
    shares = ""
    if len(found.parts) > 1:
        shares = ", ".join(f"{name} {value:+.3f}" for name, value in found.parts.items())
    return [
        ("Parts of the model:", shares),
        ("Like training texts:", near),
        (f"Note of {found.code}:", found.note),
    ]
