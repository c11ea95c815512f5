// What a person, or the program that reads a page to one, would stumble over.
(() => {
  const flaws = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const root = document.documentElement;

  if (root.scrollWidth > root.clientWidth) flaws.push(`scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`);
  if (!root.lang) flaws.push("no language");
  if (!document.title) flaws.push("no title");
  if (all("main").length !== 1) flaws.push("not one main part");

  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) flaws.push(`heading "${heading.innerText}" skips a level`);
    level = next;
  }
  if (all("h1").length !== 1) flaws.push("not one h1");
  for (const image of all("img")) if (!image.hasAttribute("alt")) flaws.push("an image has no alt");
  for (const field of all("input")) if (!field.labels.length) flaws.push("a field has no label");
  for (const way of all("a, button")) if (!way.innerText.trim()) flaws.push("a link or button says nothing");
  for (const list of all("ul, dl")) if (!list.children.length) flaws.push("an empty list");
  for (const part of all("[aria-labelledby]")) {
    if (!document.getElementById(part.getAttribute("aria-labelledby"))) flaws.push("a part is labelled by nothing");
  }
  const ids = all("[id]").map((e) => e.id);
  if (new Set(ids).size !== ids.length) flaws.push("an id stands twice");

  // WCAG 2.2, 1.4.3: contrast of text against what is behind it.
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = numbers(color).slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  let texts = 0;
  const lowest = { ratio: 99 };
  for (const e of all("body *")) {
    const text = e.tagName === "INPUT" ? e.value : [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !e.getClientRects().length) continue;
    texts++;
    const [light, dark] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < lowest.ratio) Object.assign(lowest, { ratio, text });
  }
  if (lowest.ratio < 4.5) flaws.push(`contrast ${lowest.ratio.toFixed(2)} of "${lowest.text}"`);
  if (texts < 20) flaws.push(`only ${texts} texts can be seen`);
  return flaws;
})();
