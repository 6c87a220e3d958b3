"""Whose extensions a diagram carries, and what stands for them here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
_OURS = frozenset({"", SPIFF, "http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace",
                   "http://www.w3.org/2001/XMLSchema"})  # fmt: skip
_STANDARDS = ("http://www.omg.org/spec/", "http://www.omg.org/bpmn")

_VENDORS: tuple[tuple[str, str], ...] = (
    ("http://camunda.org/schema/zeebe", "Camunda 8 (Zeebe)"),
    ("http://camunda.org/schema/modeler", "Camunda Modeler"),
    ("http://camunda.org/schema", "Camunda 7"),
    ("http://camunda.org/examples", "Camunda 7"),
    ("http://www.camunda.", "Camunda 7"),
    ("http://flowable.org/", "Flowable"),
    ("http://activiti.org/", "Activiti"),
    ("http://www.signavio.com", "Signavio"),
    ("http://www.trisotech.com/", "Trisotech"),
    ("https://openapis.org/", "Trisotech"),
    ("http://bpmn.io/", "bpmn.io"),
    ("http://www.bizagi.com/", "Bizagi"),
    ("http://www.boc-group.com", "ADONIS"),
    ("@boc-eu.com", "ADONIS"),
    ("http://www.bonitasoft.", "Bonita"),
    ("http://www.jboss.org/drools", "jBPM"),
    ("http://www.omninet.de/", "OMNITRACKER"),
    ("http://www.gbtec.de/", "BIC"),
    ("http://www.softwareag.com/", "ARIS"),
    ("http://www.w4.eu/", "W4"),
    ("http://caseagile.com/", "Enterprise Explorer"),
    ("http://www.itp-commerce.com/", "itp commerce"),
    ("http://aeneis.de/", "Aeneis"),
    ("http://www.igrafx.com/", "iGrafx"),
    ("http://www.visual-paradigm.com/", "Visual Paradigm"),
    ("http://bpmn.sourceforge.net", "Yaoqiang"),
    ("http://www.ibm.com/", "IBM"),
    ("http://open-bpmn.org/", "Open BPMN"),
    ("http://knowprocess.com/", "KnowProcess"),
    ("http://www.bpsim.org/", "BPSim"),
    ("http://modeliosoft.com/", "Modelio"),
    ("http://sourceforge.net/bpmn/", "Yaoqiang"),
    ("http://www.ibo.de/", "ibo Prometheus"),
    ("http://www.smartfacts.com", "MID bpanda"),
    ("http://www.viadee.de", "viadee"),
)
_STANDS: dict[str, str] = {
    "assignee": 'set the property "team"; a person takes the task from the inbox',
    "candidateUsers": 'set the property "team"; a person takes the task from the inbox',
    "candidateGroups": 'set the property "team"',
    "assignmentDefinition": 'set the property "team"',
    "potentialStarter": "any member of staff may start an instance",
    "candidateStarterGroups": "any member of staff may start an instance",
    "candidateStarterUsers": "any member of staff may start an instance",
    "isStartableInTasklist": "any member of staff may start an instance",
    "formKey": 'set the property "formJsonSchemaFilename" to a form of the bundle',
    "formRef": 'set the property "formJsonSchemaFilename" to a form of the bundle',
    "formDefinition": 'set the property "formJsonSchemaFilename" to a form of the bundle',
    "userTaskForm": 'set the property "formJsonSchemaFilename" to a form of the bundle',
    "formData": 'set the property "formJsonSchemaFilename" to a form of the bundle',
    "formProperty": 'set the property "formJsonSchemaFilename" to a form of the bundle',
    "userTask": "every user task is one of ours",
    "dueDate": 'set the property "due"',
    "followUpDate": 'set the property "due"',
    "taskSchedule": 'set the property "due"',
    "priority": "a task past its due time comes first",
    "taskDefinition": "choose an operation",
    "topic": "choose an operation",
    "type": "choose an operation",
    "class": "choose an operation",
    "expression": "choose an operation",
    "delegateExpression": "choose an operation",
    "connector": "choose an operation",
    "modelerTemplate": "choose an operation",
    "resultVariable": "name the result variable beside the operation",
    "ioMapping": "give the operation its parameters",
    "inputOutput": "give the operation its parameters",
    "input": "give the operation its parameters",
    "output": "name the result variable beside the operation",
    "field": "give the operation its parameters",
    "in": "variables belong to the instance: a called process sees them all",
    "out": "variables belong to the instance: a called process sees them all",
    "calledElement": "name the process as calledElement",
    "calledDecision": "choose a decision table of the bundle",
    "decisionRef": "choose a decision table of the bundle",
    "script": "write lines such as total = net + tax",
    "collection": "name the list as loopDataInputRef",
    "elementVariable": "name the item as inputDataItem",
    "loopCharacteristics": "name the list as loopDataInputRef and the item as inputDataItem",
    "subscription": "a message is matched by the order it names",
    "executionListener": "draw a service task",
    "taskListener": 'name an operation as "onComplete"',
    "executionListeners": "draw a service task",
    "taskListeners": 'name an operation as "onComplete"',
    "failedJobRetryTimeCycle": "operations bring their own retries",
    "retries": "operations bring their own retries",
    "async": "every step is saved before the next one is begun",
    "asyncBefore": "every step is saved before the next one is begun",
    "asyncAfter": "every step is saved before the next one is begun",
    "exclusive": "every step is saved before the next one is begun",
    "initiator": "the history says who started it",
    "versionTag": "versions are numbered when they are deployed",
    "historyTimeToLive": "history is kept",
    "executionPlatform": "nothing; it names the tool",
    "executionPlatformVersion": "nothing; it names the tool",
}
"""What a well-known extension does there → what does it here."""
_LOOKS = frozenset(
    {
        "color", "background-color", "border-color", "stroke", "fill", "signavioMetaData", "signavioLabel",
        "signavioStencil", "graphStyle", "basic", "line", "root", "modelerTemplateIcon", "label", "style", "alignment",
        "defaultBounds", "labelPosition", "bounds", "CollapsedBounds", "ExpandedBounds", "auto-align", "page",
        "pageFormat", "diagramWidth", "diagramHeight", "logoChoice", "iboName", "aenuid", "text", "readOnly", "hidden",
    }
)
"""Extensions that only say how something looks or what it is called in the tool."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One attribute or element that belongs to a vendor."""

    owner: etree._Element
    """The BPMN element that carries it."""
    vendor: str
    name: str
    """The local name, e.g. `candidateGroups`."""
    is_attribute: bool

    @property
    def stands(self) -> str | None:
        """What stands for it here; None where nothing well known does."""
        return _STANDS.get(self.name)

    @property
    def only_looks(self) -> bool:
        return self.name in _LOOKS


def vendor_of(namespace: str | None) -> str | None:
    """Whose namespace it is; None for the standard's and ours; the namespace itself when nobody is known."""
    name = namespace or ""
    if name in _OURS or name.startswith(_STANDARDS):
        return None
    for beginning, vendor in _VENDORS:
        if name.startswith(beginning):
            return vendor
    return name.removeprefix("http://").removeprefix("https://")[:60]


def extensions_of(owner: etree._Element) -> Iterator[Extension]:
    """The vendors' attributes of a BPMN element, and the outermost of their elements that stand right inside it."""
    for attribute in owner.attrib:
        name = etree.QName(attribute)
        vendor = vendor_of(name.namespace)
        if vendor:
            yield Extension(owner, vendor, name.localname, is_attribute=True)
    for block in owner.findall(f"{{{BPMN}}}extensionElements"):
        for child in block:
            if isinstance(child.tag, str) and (vendor := vendor_of(etree.QName(child).namespace)):
                yield Extension(owner, vendor, etree.QName(child).localname, is_attribute=False)


def vendor_children(owner: etree._Element, *names: str) -> Iterator[etree._Element]:
    """The vendors' elements of these local names anywhere in an element's own extensions."""
    for block in owner.findall(f"{{{BPMN}}}extensionElements"):
        for child in block.iter():
            if not isinstance(child.tag, str) or etree.QName(child).localname not in names:
                continue
            if vendor_of(etree.QName(child).namespace):
                yield child


def vendor_attribute(owner: etree._Element, *names: str) -> str:
    """The first vendor's attribute of one of these local names; empty when there is none."""
    for name in names:
        for attribute, value in owner.attrib.items():
            qualified = etree.QName(attribute)
            if qualified.localname == name and vendor_of(qualified.namespace):
                return str(value).strip()
    return ""


def remove_extensions(owner: etree._Element) -> None:
    """Takes the vendors' attributes and elements off a BPMN element; what stands inside of it keeps its own."""
    for attribute in list(owner.attrib):
        if vendor_of(etree.QName(attribute).namespace):
            del owner.attrib[attribute]
    for block in owner.findall(f"{{{BPMN}}}extensionElements"):
        for child in list(block):
            if isinstance(child.tag, str) and vendor_of(etree.QName(child).namespace):
                block.remove(child)
        if len(block) == 0 and not (block.text or "").strip():
            owner.remove(block)
