"""What a diagram of another tool carries beside the standard: extensions that nothing here reads, pools only drawn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from lxml import etree

from engine.findings import local
from engine.foreign.vendors import Extension, extensions_of
from engine.lint.model import Context, Diagram, tag
from engine.lint.names import listed
from engine.standard import iter_run

MAX_NAMED = 100
"""Elements of a file whose extensions are named one by one; the rest is counted."""
_UNREAD = {
    "messageFlow": (
        "message-flow", "A message flow is drawn and not run.",
        "The sender's step is an operation; the receiver catches a message.",
    ),
}


def check_foreign(context: Context, diagram: Diagram) -> None:
    """Vendors' extensions, pools that are only drawn, message flows, and names of messages that cannot be sent."""
    _check_pools(diagram)
    _check_extensions(diagram)
    _check_start_forms(context, diagram)
    for message in diagram.declared["message"].values():
        name = message.get("name", "")
        if name != " ".join(name.split()) or any(sign in name for sign in "/?#%"):
            diagram.report.error(
                message, "message-text", f"Its name {name[:60]!r} cannot be sent.",
                "Write it without / ? # %, line breaks and doubled spaces.",
            )


def _check_start_forms(context: Context, diagram: Diagram) -> None:
    """A start event may show a form, whose fields become the first variables."""
    for node in diagram.nodes():
        name = node.properties.get("formJsonSchemaFilename")
        if node.kind != "startEvent" or not name:
            continue
        form = context.forms.get(name)
        if form is None:
            diagram.report.error(
                node.xml, "form", f"Its form {name[:80]!r} is not in the bundle.",
                f"Add forms/{name[:80]}, or name another.",
            )
            continue
        given = listed(node.scope.process.properties.get("startsWith", ""))
        fields = form.schema.get("properties", {}) if form.schema else {}
        lacking = sorted(set(given) - set(fields)) if isinstance(fields, dict) else []
        if lacking:
            diagram.report.warning(
                node.xml, "start-form", f"Its form does not ask for {', '.join(lacking)[:200]}.",
                "Add the fields; the process lists these variables in startsWith.",
            )


def _check_pools(diagram: Diagram) -> None:
    run = {process.id for process in diagram.processes}
    for process in diagram.root.iterfind(tag("process")):
        if process.get("id", "") not in run and len(process):
            diagram.report.warning(
                process, "only-drawn", "This process is not marked as executable: it is drawn and not run.",
                "Mark it as executable if it is to run.",
            )
    for xml in list(diagram.root.iter(tag("messageFlow")))[:MAX_NAMED]:
        rule, message, advice = _UNREAD[local(xml)]
        diagram.report.warning(xml, rule, message, advice)


def _check_extensions(diagram: Diagram) -> None:
    """One warning per element and vendor for what means something there, one per vendor for what only looks."""
    looks: Counter[str] = Counter()
    more: Counter[str] = Counter()
    named = 0
    for xml in iter_run(diagram.root):
        by_vendor: defaultdict[str, list[Extension]] = defaultdict(list)
        for extension in extensions_of(xml):
            if extension.only_looks:
                looks[extension.vendor] += 1
            else:
                by_vendor[extension.vendor].append(extension)
        for vendor, found in by_vendor.items():
            if named < MAX_NAMED and _bears_id(xml):
                named += 1
                diagram.report.warning(xml, "vendor-extension", *_sentences(vendor, found))
            else:
                more[vendor] += len(found)
    for vendor, count in sorted(looks.items()):
        diagram.report.warning(
            diagram.root, "vendor-looks", f"{count} extensions of {vendor} say how the diagram looks.",
            "They are kept and change nothing.",
        )
    for vendor, count in sorted(more.items()):
        diagram.report.warning(
            diagram.root, "vendor-more", f"{count} more extensions of {vendor} are not read.",
            "They are kept and change nothing.",
        )


def _bears_id(xml: etree._Element) -> bool:
    return bool(xml.get("id")) and local(xml) != "definitions"


def _sentences(vendor: str, found: Sequence[Extension]) -> tuple[str, str]:
    names: dict[str, Extension] = {}
    for extension in found:
        names.setdefault(extension.name, extension)
    attributes = [name[:40] for name, each in names.items() if each.is_attribute][:8]
    elements = [name[:40] for name, each in names.items() if not each.is_attribute][:8]
    parts = [f"{_kind('attribute', attributes)}" if attributes else "", _kind("element", elements) if elements else ""]
    stands: dict[str, str] = {}
    for name, each in names.items():
        if each.stands:
            stands.setdefault(each.stands, name)
    advice = "; ".join(f"for {name}, {what}" for what, name in list(stands.items())[:6])
    return (
        f"Of {vendor}, its {' and its '.join(part for part in parts if part)} {_verb(names)} not read.",
        f"Here: {advice}." if advice else "It is kept and changes nothing.",
    )


def _kind(word: str, names: Sequence[str]) -> str:
    return f"{word}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _verb(names: dict[str, Extension]) -> str:
    return "are" if len(names) > 1 else "is"
