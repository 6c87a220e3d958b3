"""Draws the pictures of the shipped diagrams that README and docs show, each step with its number.

Run after a diagram was changed, with the packages of this folder and the extra `dev` installed:

    python web/frontend/picture.py        (CHROMIUM=… if it is not on the path)
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BPMN_JS = HERE / "node_modules" / "bpmn-js" / "dist"
PICTURES = {"order_fulfillment": "process.png", "order_cancellation": "cancellation.png"}
SCALE = 1.5
FLAGS = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
PAGE = """
<style>
  body { margin: 0; background: #fff; }
  .step .djs-visual > rect { fill: #eef3fd !important; stroke: #2453c4 !important; }
  .number { width: 22px; height: 22px; border-radius: 11px; background: #2453c4; color: #fff;
            font: 600 12px/22px Arial, sans-serif; text-align: center; }
</style>
<div id="canvas"></div>
"""
DRAW = """
async (xml) => {
  const margin = 12, mark = 34;
  const container = document.getElementById('canvas');
  container.style.width = container.style.height = '4000px';
  const viewer = new BpmnJS({ container });
  await viewer.importXML(xml);
  const canvas = viewer.get('canvas'), overlays = viewer.get('overlays');
  const box = canvas.viewbox().inner;
  const width = Math.ceil(box.width) + 2 * margin, height = Math.ceil(box.height) + 2 * margin + mark;
  container.style.width = width + 'px';
  container.style.height = height + 'px';
  canvas.resized();
  canvas.viewbox({ x: box.x - margin, y: box.y - margin, width, height });
  for (const [id, step] of Object.entries(steps(xml))) {
    canvas.addMarker(id, 'step');
    overlays.add(id, { position: { bottom: 11, left: -11 }, html: `<div class="number">${step}</div>` });
  }
  return [width, height];

  function steps(xml) {
    const found = {}, tree = new DOMParser().parseFromString(xml, 'text/xml');
    for (const property of tree.getElementsByTagNameNS('http://spiffworkflow.org/bpmn/schema/1.0/core', 'property')) {
      if (property.getAttribute('name') !== 'step') continue;
      found[property.parentNode.parentNode.parentNode.id] = property.getAttribute('value');
    }
    return found;
  }
}
"""


def draw(page: Page, key: str, picture: Path) -> None:
    """Draws one diagram into a PNG file. The mark of bpmn.io stays beneath the drawing, where it covers nothing."""
    page.set_content(PAGE)
    page.add_style_tag(path=BPMN_JS / "assets" / "diagram-js.css")
    page.add_script_tag(path=BPMN_JS / "bpmn-viewer.production.min.js")
    width, height = page.evaluate(DRAW, (ROOT / "processes" / f"{key}.bpmn").read_text("utf-8"))
    page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": width, "height": height}, full_page=True)


def main() -> None:
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 2800, "height": 1300}, device_scale_factor=SCALE)
        for key, name in PICTURES.items():
            draw(page, key, ROOT / "docs" / "images" / name)
        browser.close()


if __name__ == "__main__":
    main()
