"use strict";
(async () => {
  const root = document.getElementById("map");
  const bytes = Uint8Array.from(atob(document.getElementById("map-data").textContent.trim()), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).json();
  const n = data.x.length, canvas = root.querySelector("canvas"), about = root.querySelector(".about");
  const picture = about.querySelector("canvas"), words = about.querySelector("div");
  const search = root.querySelector("input"), count = root.querySelector(".count"), menu = root.querySelector("select");
  const context = canvas.getContext("2d");
  const sprite = new Image();
  data.groups.forEach((group, k) => {
    const option = document.createElement("option");
    option.value = k; option.textContent = group.name;
    menu.append(option);
  });
  // Points by group, so that each colour is set once.
  const order = Array.from({length: n}, (_, i) => i).sort((a, b) => data.k[a] - data.k[b]);
  const SIDE = 128, cells = new Map();
  for (let i = 0; i < n; i++) {
    const cell = Math.floor(data.x[i] * SIDE / 65536) + SIDE * Math.floor(data.y[i] * SIDE / 65536);
    if (cells.has(cell)) cells.get(cell).push(i); else cells.set(cell, [i]);
  }
  const home = {scale: 1, x: 0, y: 0};
  let view = {...home}, found = null, chosen = -1, shown = -1, waiting = false, width = 0, height = 0;
  // The points fill the canvas: the box around them, in shares of the square of all places.
  const range = values => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [65535, 0]).map(v => v / 65535);
  const [left, right] = range(data.x), [top, bottom] = range(data.y), MARGIN = 24;
  const side = () => Math.min((width - 2 * MARGIN) / Math.max(right - left, 0.05), (height - 2 * MARGIN) / Math.max(bottom - top, 0.05));
  const originX = () => width / 2 - (left + right) / 2 * side(), originY = () => height / 2 - (top + bottom) / 2 * side();
  const across = x => originX() + (x / 65535 * side()) * view.scale + view.x;
  const down = y => originY() + (y / 65535 * side()) * view.scale + view.y;
  const pictured = new Map(data.sprite ? data.sprite.places.map((i, place) => [i, place]) : []);
  function paste(to, i, x, y, size) {
    const s = data.sprite.side, columns = data.sprite.columns, place = pictured.get(i);
    to.drawImage(sprite, s * (place % columns), s * Math.floor(place / columns), s, s, x, y, size, size);
  }
  // Pictures in place of dots where they have room.
  function drawPictures() {
    if (!sprite.complete || !data.sprite) return;
    const seen = [];
    for (const i of pictured.keys()) {
      const x = across(data.x[i]), y = down(data.y[i]);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      if ((chosen >= 0 && data.k[i] !== chosen) || (found !== null && !found.has(i))) continue;
      seen.push([i, x, y]);
    }
    const size = Math.min(56, 0.75 * Math.sqrt(0.4 * width * height / Math.max(seen.length, 1)));
    if (size < 16) return;
    context.globalAlpha = 1; context.lineWidth = 2;
    for (const [i, x, y] of seen) {
      paste(context, i, x - size / 2, y - size / 2, size);
      context.strokeStyle = data.groups[data.k[i]].color;
      context.strokeRect(x - size / 2, y - size / 2, size, size);
    }
    return size;
  }
  function draw() {
    waiting = false;
    canvas.style.touchAction = view.scale > 1 ? "none" : "pan-y";
    const began = performance.now();
    context.clearRect(0, 0, width, height);
    const size = Math.max(1.5, Math.min(7, (n > 20000 ? 1.6 : n > 4000 ? 2.4 : n > 600 ? 3.6 : 5) * Math.sqrt(view.scale)));
    for (const faded of [true, false]) {
      let group = -1;
      for (const i of order) {
        const k = data.k[i], on = (chosen < 0 || k === chosen) && (found === null || found.has(i));
        if (on === faded) continue;
        const x = across(data.x[i]), y = down(data.y[i]);
        if (x < 0 || y < 0 || x > width || y > height) continue;
        if (k !== group) { group = k; context.fillStyle = data.groups[k].color; context.globalAlpha = faded ? 0.08 : 0.75; }
        context.fillRect(x - size / 2, y - size / 2, size, size);
      }
      if (faded && chosen < 0 && found === null) continue;
    }
    const style = getComputedStyle(root), reach = drawPictures() * 0.7 || size / 2;
    context.globalAlpha = 1;
    context.strokeStyle = style.getPropertyValue("--ink"); context.lineWidth = 1;
    for (const i of data.ring) {
      if ((chosen >= 0 && data.k[i] !== chosen) || (found !== null && !found.has(i))) continue;
      context.beginPath(); context.arc(across(data.x[i]), down(data.y[i]), reach + 3, 0, 6.3); context.stroke();
    }
    context.font = "600 12px system-ui, sans-serif"; context.textAlign = "center";
    context.lineWidth = 4; context.lineJoin = "round";
    const taken = [];
    data.groups.forEach((group, k) => {
      if (chosen >= 0 && k !== chosen || group.x === null) return;
      const x = across(group.x), y = down(group.y), name = group.name.length > 34 ? group.name.slice(0, 33) + "…" : group.name;
      const half = context.measureText(name).width / 2;
      if (x < 0 || y < 0 || x > width || y > height) return;
      if (taken.some(t => Math.abs(t.y - y) < 15 && Math.abs(t.x - x) < t.half + half + 4)) return;
      taken.push({x, y, half});
      context.strokeStyle = style.getPropertyValue("--card"); context.strokeText(name, x, y + 4);
      context.fillStyle = style.getPropertyValue("--ink"); context.fillText(name, x, y + 4);
    });
    if (shown >= 0) {
      context.strokeStyle = style.getPropertyValue("--ink"); context.lineWidth = 2;
      context.beginPath(); context.arc(across(data.x[shown]), down(data.y[shown]), reach + 4, 0, 6.3); context.stroke();
    }
    root.dataset.drawn = (performance.now() - began).toFixed(1);
  }
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  function resize() {
    const ratio = window.devicePixelRatio || 1;
    width = canvas.clientWidth; height = canvas.clientHeight;
    canvas.width = width * ratio; canvas.height = height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    redraw();
  }
  function nearest(px, py) {
    const x = ((px - view.x - originX()) / view.scale) / side() * SIDE;
    const y = ((py - view.y - originY()) / view.scale) / side() * SIDE;
    const reach = Math.ceil(10 / (side() * view.scale) * SIDE);
    let best = -1, least = 100;
    for (let a = Math.floor(x) - reach; a <= Math.floor(x) + reach; a++)
      for (let b = Math.floor(y) - reach; b <= Math.floor(y) + reach; b++)
        for (const i of (a < 0 || a >= SIDE ? [] : cells.get(a + SIDE * b) || [])) {
          if ((chosen >= 0 && data.k[i] !== chosen) || (found !== null && !found.has(i))) continue;
          const d = (across(data.x[i]) - px) ** 2 + (down(data.y[i]) - py) ** 2;
          if (d < least) { least = d; best = i; }
        }
    return best;
  }
  function show(i, px, py) {
    if (i !== shown) { shown = i; redraw(); }
    about.hidden = i < 0;
    if (i < 0) return;
    words.textContent = data.texts[i];
    about.querySelector("b").textContent = data.groups[data.k[i]].name;
    picture.hidden = !pictured.has(i);
    if (!picture.hidden) paste(picture.getContext("2d"), i, 0, 0, 96);
    about.style.left = Math.max(0, Math.min(px + 14, width - about.offsetWidth - 4)) + "px";
    about.style.top = (py + about.offsetHeight + 20 > height ? Math.max(0, py - about.offsetHeight - 12) : py + 14) + "px";
  }
  let drag = null;
  const at = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", event => { drag = at(event); canvas.setPointerCapture(event.pointerId); show(nearest(...drag), ...drag); });
  canvas.addEventListener("pointerup", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { if (!drag) show(-1); });
  canvas.addEventListener("pointermove", event => {
    const [px, py] = at(event);
    if (drag && event.buttons) { view.x += px - drag[0]; view.y += py - drag[1]; drag = [px, py]; redraw(); return; }
    show(nearest(px, py), px, py);
  });
  function zoom(factor, px, py) {
    const scale = Math.max(1, Math.min(200, view.scale * factor)), f = scale / view.scale;
    const ox = px - originX(), oy = py - originY();
    view = {scale, x: ox - (ox - view.x) * f, y: oy - (oy - view.y) * f};
    if (scale === 1) view = {...home};
    redraw();
  }
  canvas.addEventListener("wheel", event => { if (view.scale === 1 && event.deltaY > 0) return; event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), ...at(event)); }, {passive: false});
  canvas.addEventListener("dblclick", event => zoom(2, ...at(event)));
  root.querySelector("[data-do=in]").addEventListener("click", () => zoom(1.6, width / 2, height / 2));
  root.querySelector("[data-do=out]").addEventListener("click", () => zoom(1 / 1.6, width / 2, height / 2));
  root.querySelector("[data-do=all]").addEventListener("click", () => { view = {...home}; redraw(); });
  menu.addEventListener("change", () => { chosen = Number(menu.value); redraw(); });
  const folded = data.texts.map(text => text.toLowerCase());
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    found = wanted ? new Set() : null;
    if (wanted) folded.forEach((text, i) => { if (text.includes(wanted)) found.add(i); });
    count.textContent = wanted ? found.size.toLocaleString() + " found" : "";
    redraw();
  });
  new ResizeObserver(resize).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (data.sprite) { sprite.src = data.sprite.source; sprite.decode().then(redraw, () => {}); }
  root.classList.add("ready");
  resize();
})();
