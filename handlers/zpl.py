"""Labels in ZPL II, the language of label printers: 100 × 150 mm at 8 dots a millimetre, one label per parcel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from handlers.barcodes import APPLICATION_IDENTIFIER, readable

_WIDTH, _HEIGHT, _EDGE = 800, 1200, 40
_ROOM = _WIDTH - 2 * _EDGE


def parcel_labels(data: Mapping[str, Any], numbers: Sequence[str]) -> bytes:
    """The shop's labels. `data` is what stands on `label.pdf` (`handlers.papers.label`), `numbers` the SSCCs."""
    labels = []
    for parcel, number in zip(data["parcels"], numbers, strict=True):
        sender = ", ".join([data["company"]["name"], *data["company"]["address"]]) if "company" in data else ""
        labels.append(
            _label(
                _text(40, sender, height=22),
                _text(80, "SHIP TO", height=22),
                _text(110, data["customer"], height=44, lines=2),
                _text(210, "\n".join([*data["address"], data["country"]]), height=36, lines=7),
                _rule(490),
                _text(510, f"{data['shipping_method']}   {data['country_code']}", height=48),
                _rule(570),
                _text(590, f"{parcel['weight']}   {parcel['size']}", height=34),
                _text(635, f"Order {data['order']}   parcel {parcel['position']} of {parcel['of']}", height=34),
                _text(685, "FRAGILE" if parcel["fragile"] else "", height=48),
                _bars(780, number),
            )
        )
    return b"".join(labels)


def routing_label(*, courier: str, tracking_number: str, recipient: str, numbers: Iterable[str]) -> bytes:
    """A courier's own labels for the parcels of one booking."""
    return b"".join(
        _label(
            _text(60, courier, height=60),
            _text(150, tracking_number, height=48),
            _text(230, recipient, height=36, lines=2),
            _rule(330),
            _bars(380, number),
        )
        for number in numbers
    )


def _label(*fields: str) -> bytes:
    # ^CI28: what follows is UTF-8
    return ("^XA\n^CI28\n" + f"^PW{_WIDTH}\n^LL{_HEIGHT}\n" + "".join(fields) + "^XZ\n").encode()


def _text(top: int, text: str, *, height: int, lines: int = 1) -> str:
    """Text that wraps within the label and is cut after so many lines; nothing for an empty one."""
    if not text:
        return ""
    return f"^FO{_EDGE},{top}^A0N,{height}^FB{_ROOM},{lines},4^FH_^FD{_escaped(text)}^FS\n"


def _rule(top: int) -> str:
    return f"^FO{_EDGE},{top}^GB{_ROOM},3,3^FS\n"


def _bars(top: int, number: str) -> str:
    """GS1-128: `>;` starts code set C, `>8` is FNC1. Three dots a module are 0.375 mm."""
    return (
        f"^FO{_EDGE + 60},{top}^BY3^BCN,280,N,N,N^FD>;>8{APPLICATION_IDENTIFIER}{number}^FS\n"
        f"^FO{_EDGE},{top + 300}^A0N,34^FB{_ROOM},1,0,C^FD{readable(number)}^FS\n"
    )


def _escaped(text: str) -> str:
    """The printer's own signs as hexadecimal, a line break as the printer writes it, other control signs as blanks."""
    signs = []
    for sign in text:
        if sign == "\n":
            signs.append("\\&")
        elif sign in "^~\\_":
            signs.append(f"_{ord(sign):02X}")
        else:
            signs.append(sign if sign.isprintable() else " ")
    return "".join(signs)
