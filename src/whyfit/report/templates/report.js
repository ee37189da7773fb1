"use strict";
(() => {
  const make = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  // Copy buttons beside diffs.
  for (const diff of document.querySelectorAll("pre.diff")) {
    const button = make("button", { type: "button", textContent: "Copy patch" });
    button.addEventListener("click", async () => {
      const lines = [...diff.querySelectorAll("span")].map((line) => line.textContent);
      try {
        await navigator.clipboard.writeText(lines.join("\n") + "\n");
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(diff);
        button.textContent = "Selected: copy it with your keyboard";
      }
    });
    diff.before(button);
  }

  // One checkbox a unit: in the key of the parts where it names the units, else a row of their own.
  for (const figure of document.querySelectorAll('figure[data-kind="parts"]')) {
    const keys = figure.querySelector(".keys");
    const named = new Map();
    for (const item of keys.children) {
      const unit = /^\s*unit (\d+)/.exec(item.textContent);
      if (unit) named.set(Number(unit[1]), item);
    }
    for (let unit = 1; ; unit += 1) {
      const line = figure.querySelector(`.plot .unit-${unit}`);
      if (!line) break;
      const box = make("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => line.classList.toggle("gone", !box.checked));
      const item = named.get(unit) ?? keys.appendChild(make("li", {}, `unit ${unit}`));
      item.append(make("label", {}, box, ...item.childNodes));
    }
  }

  // A slider over the snapshots of the curve.
  for (const figure of document.querySelectorAll('figure[data-kind="snapshots"]')) {
    const grid = figure.querySelector(".frames");
    const frames = [...grid.children];
    if (frames.length < 2) continue;
    const text = make("output", { textContent: "all" });
    const slider = make("input", { type: "range", min: 0, max: frames.length, value: 0 });
    const show = () => {
      const at = Number(slider.value);
      grid.classList.toggle("big", at > 0);
      frames.forEach((frame, each) => frame.classList.toggle("gone", at > 0 && each !== at - 1));
      text.textContent = at > 0 ? frames[at - 1].querySelector("span").textContent : "all";
    };
    slider.addEventListener("input", show);
    const label = make("label", { className: "scrub" }, "Follow it: ", slider, text);
    grid.before(label);
  }

  // The values under the pointer, read from the drawn lines.
  const points = (path) =>
    [...(path.getAttribute("d") ?? "").matchAll(/[ML]\s*(-?[\d.]+)[ ,](-?[\d.]+)/g)].map((match) => [
      Number(match[1]),
      Number(match[2]),
    ]);
  const heightAt = (line, x) => {
    const right = line.findIndex((point) => point[0] >= x);
    if (right < 0) return null;
    if (right === 0) return line[0][0] - x < 2 ? line[0][1] : null;
    const [x0, y0] = line[right - 1];
    const [x1, y1] = line[right];
    return x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  };
  for (const svg of document.querySelectorAll("svg[data-frame]")) {
    const [left, right, bottom, top, x0, x1, y0, y1] = JSON.parse(svg.dataset.frame);
    const lines = ["target", "fit"].map((role) => {
      const path = svg.querySelector(`.line-${role} path`);
      return path && !path.closest("defs") ? points(path) : [];
    });
    const read = make("p", { className: "read", ariaHidden: "true" });
    const hair = document.createElementNS("http://www.w3.org/2000/svg", "path");
    hair.setAttribute("class", "hair");
    svg.append(hair);
    svg.parentElement.after(read);
    svg.addEventListener("pointermove", (event) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(
        svg.getScreenCTM().inverse(),
      );
      if (place.x < left || place.x > right) return;
      hair.setAttribute("d", `M${place.x} ${top}V${bottom}`);
      const value = (height) =>
        height === null ? "–" : (y0 + ((bottom - height) / (bottom - top)) * (y1 - y0)).toPrecision(3);
      const x = (x0 + ((place.x - left) / (right - left)) * (x1 - x0)).toPrecision(3);
      const [target, fit] = lines.map((line) => value(heightAt(line, place.x)));
      read.textContent = `x ${x}: target ${target}, your fit ${fit}`;
    });
    svg.addEventListener("pointerleave", () => {
      hair.removeAttribute("d");
      read.textContent = "";
    });
  }
})();
