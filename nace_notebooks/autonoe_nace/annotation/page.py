"""The labelling page: the text, the model's ideas or none, the whole nomenclature with search."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature import Nomenclature

ANSWER, CODE, NOTE, TEXT = "answer", "code", "note", "text"
"""Names of the controls in what Label Studio exports."""
CANNOT = "cannot_be_coded"

# Label Studio's own variables, so that its dark theme works too; the panels beside the page show
# regions and relations, of which whole-text coding has none.
_STYLE = """
.nace-page { max-width: 64rem; margin: 0 auto; padding: .5rem 1rem 2rem; }
.nace-page h4 { font-size: .95rem !important; font-weight: 600;
  margin: 1.1rem 0 .25rem !important; }
.nace-quiet h4 { font-size: .85rem !important; font-weight: 400; margin: 0 0 .4rem !important;
  color: var(--color-neutral-content-subtler, #52606f) !important; }
.nace-text { padding: .9rem 1.1rem; border-radius: 6px; border-left: 4px solid #3b6fb6;
  background: var(--color-neutral-surface-inset, #f3f5f8); }
.nace-text .lsf-richtext__line { font-size: 1.35rem; line-height: 1.4; }
.nace-side { margin-top: .5rem; color: var(--color-neutral-content-subtler, #52606f); }
.nace-page .lsf-choice, .nace-page .lsf-choice__item { padding: .1rem 0; margin: 0; }
.nace-page .lsf-choice label { font-weight: 400; font-size: 1rem; margin: 0; padding: .05rem 0; }
.nace-page .ant-tree-select { width: 100%; }
.nace-note { margin-top: 1.1rem; }
.lsf-sidepanels__wrapper { display: none; }
.lsf-sidepanels, .lsf-sidepanels__content, .lsf-bottombar {
  padding-right: 0 !important; width: 100% !important; max-width: none !important; }
"""


@dataclass(frozen=True)
class Words:
    """What the page says, in one language."""

    text: str
    help: str
    help_note: str
    search: str
    search_note: str
    placeholder: str
    cannot: str
    note: str
    note_placeholder: str
    instruction: str
    required: str


_WORDS = {
    "en": Words(
        text="Activity as it was declared",
        help="What the model proposes",
        help_note="Five most probable codes; the first can be wrong. Click again to undo.",
        search="Code in the nomenclature",
        search_note="Type a word of the title or the beginning of a code; choose the finest level.",
        placeholder="Search by title or code",
        cannot="Cannot be coded: the text does not say enough",
        note="Note (for the arbiter, not required)",
        note_placeholder="What made you hesitate?",
        instruction=(
            "Give each text the code of its main activity, at the finest level. Judge by the text "
            "alone. If it does not say enough for any code, choose “Cannot be coded”: that is an "
            "answer, not a failure."
        ),
        required="Choose a code, or say that the text cannot be coded.",
    ),
    "fr": Words(
        text="Activité telle que déclarée",
        help="Ce que propose le modèle",
        help_note="Ses cinq codes les plus probables. Un second clic annule le choix.",
        search="Code de la nomenclature",
        search_note="Tapez un mot du titre ou le début d'un code ; prenez le niveau le plus fin.",
        placeholder="Chercher par titre ou code",
        cannot="Incodable : le texte n'en dit pas assez",
        note="Remarque (pour l'arbitre, facultative)",
        note_placeholder="Qu'est-ce qui vous a fait hésiter ?",
        instruction=(
            "Donnez à chaque texte le code de son activité principale, au niveau le plus fin. "
            "Jugez d'après le texte seul. S'il n'en dit pas assez, choisissez « Incodable » : "
            "c'est une réponse, pas un échec."
        ),
        required="Choisissez un code, ou dites que le texte est incodable.",
    ),
}
_ARBITER = {
    "en": ("What the two coders said", "Their order says nothing about who said what."),
    "fr": ("Ce qu'ont dit les deux codeurs", "L'ordre ne dit pas qui a dit quoi."),
}
LANGUAGES = tuple(_WORDS)


def words(language: str) -> Words:
    """Return the words of a language.

    Raises
    ------
    InvalidInputError
        If the page does not speak it.
    """
    if language not in _WORDS:
        raise InvalidInputError(
            f"The page does not speak {language}.", hint=f"It speaks {', '.join(LANGUAGES)}."
        )
    return _WORDS[language]


def build(
    nomenclature: Nomenclature,
    *,
    helped: bool,
    language: str = "en",
    arbiter: bool = False,
    side: bool = False,
    level: int | None = None,
) -> str:
    """Return the page as Label Studio's labelling configuration.

    Parameters
    ----------
    nomenclature : Nomenclature
        Its levels are shown as a tree, and only codes without a shown one below can be chosen.
    helped : bool
        Show the ideas that come with each task; False for blind coding. Blind tasks do not carry
        the model's codes at all, so that nothing in the browser can give them away.
    language : {"en", "fr"}
        Of the page.
    arbiter : bool
        The ideas are those of two people, not of the model.
    side : bool
        Tasks carry more about the text, such as side variables or the coders' notes.
    level : int, optional
        Finest level to show, that of the model: a finer code could never be called right or
        wrong. All by default.
    """
    said = words(language)
    view = Element("View", className="nace-page")
    SubElement(view, "Style").text = _STYLE
    SubElement(view, "Header", value=said.text, size="5")
    box = SubElement(view, "View", className="nace-text")
    SubElement(box, "Text", name=TEXT, value="$text", granularity="word")
    if side:
        more = SubElement(view, "View", className="nace-side")
        SubElement(more, "Text", name="side", value="$side")
    if helped:
        title, note = _ARBITER[language] if arbiter else (said.help, said.help_note)
        SubElement(view, "Header", value=title, size="5")
        quiet = SubElement(view, "View", className="nace-quiet")
        SubElement(quiet, "Header", value=note, size="6")
    answer = SubElement(
        view, "Choices", name=ANSWER, toName=TEXT, choice="single", showInline="false"
    )
    if helped:
        answer.set("value", "$ideas")
    else:
        SubElement(answer, "Choice", value=said.cannot, alias=CANNOT)
    _search(view, said, nomenclature, level or max(nomenclature.levels))
    _remark(view, said)
    return tostring(view, encoding="unicode")


def _search(view: Element, said: Words, nomenclature: Nomenclature, level: int) -> None:
    """Add the whole nomenclature as a searchable tree, shown while no idea is chosen."""
    unless = SubElement(
        view, "View", visibleWhen="choice-unselected", whenTagName=ANSWER, className="nace-code"
    )
    SubElement(unless, "Header", value=said.search, size="5")
    quiet = SubElement(unless, "View", className="nace-quiet")
    SubElement(quiet, "Header", value=said.search_note, size="6")
    tree = SubElement(
        unless,
        "Taxonomy",
        name=CODE,
        toName=TEXT,
        leafsOnly="true",
        showFullPath="true",
        pathSeparator=" / ",
        placeholder=said.placeholder,
        maxUsages="1",
        required="true",
        requiredMessage=said.required,
        minWidth="600px",
        maxWidth="1100px",
        dropdownWidth="1000px",
    )
    _branches(tree, nomenclature, level)


def _remark(view: Element, said: Words) -> None:
    """Add a line for what the coder wants to say."""
    remark = SubElement(view, "View", className="nace-note")
    SubElement(remark, "Header", value=said.note, size="5")
    SubElement(
        remark,
        "TextArea",
        name=NOTE,
        toName=TEXT,
        placeholder=said.note_placeholder,
        maxSubmissions="1",
        rows="1",
        editable="true",
    )


def _branches(tree: Element, nomenclature: Nomenclature, level: int) -> None:
    places: dict[str, Element] = {}
    shown = (node for node in nomenclature.nodes.values() if node.level <= level)
    for node in sorted(shown, key=lambda node: node.level):
        above = places.get(node.parent, tree)
        label = f"{node.code}  {node.title}" if node.title else node.code
        places[node.code] = SubElement(above, "Choice", value=label, alias=node.code)
